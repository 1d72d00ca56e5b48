import { type SerializerFactory, SerializerSelector } from '@fastify/fast-json-stringify-compiler';

type Serializer = ReturnType<ReturnType<SerializerFactory>>;

const buildStandard = SerializerSelector();

/**
 * Makes the functions that write answers, one for all answers of the same shape: the same refusals belong to every
 * operation, and making a function takes longer than anything else at the start.
 */
export const buildSerializer: SerializerFactory = (externalSchemas, options) => {
  const makeSerializer = buildStandard(externalSchemas, options);
  const known = new Map<string, Serializer>();
  return (route) => {
    const shape = JSON.stringify(route.schema, withoutWords);
    let serialize = known.get(shape);
    if (serialize === undefined) {
      serialize = makeSerializer({ ...route, schema: JSON.parse(shape) });
      known.set(shape, serialize);
    }
    return serialize;
  };
};

/** What is said of a value for readers. A property of that name has a schema, which is no text. */
const withoutWords = (key: string, value: unknown): unknown =>
  (key === 'description' || key === 'title' ? typeof value === 'string' : key === 'examples' && Array.isArray(value))
    ? undefined
    : value;
