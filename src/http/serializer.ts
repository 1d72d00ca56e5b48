import { type SerializerFactory, SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import { KNOWN_VALUES } from './primitives.js';

type Serializer = ReturnType<ReturnType<SerializerFactory>>;

const buildStandard = SerializerSelector();
/** By schema, for all servers in the process: they all have the same named schemas. */
const serializers = new Map<string, Serializer>();

/**
 * Builds the functions that serialize responses, one per distinct schema. All operations share the same error responses, and
 * compiling serializers dominates the startup time.
 */
export const buildSerializer: SerializerFactory = (namedSchemas, options) => {
  const buildOne = buildStandard(namedSchemas, options);
  return (route) => {
    const shape = JSON.stringify(route.schema, omitAnnotations);
    let serialize = serializers.get(shape);
    if (serialize === undefined) {
      serialize = buildOne({ ...route, schema: JSON.parse(shape) });
      serializers.set(shape, serialize);
    }
    return serialize;
  };
};

/** Drops annotations. Checks the type, because a property may also be named `description` or `title`. */
const omitAnnotations = (key: string, value: unknown): unknown =>
  key === KNOWN_VALUES ||
  (key === 'description' || key === 'title' ? typeof value === 'string' : key === 'examples' && Array.isArray(value))
    ? undefined
    : value;
