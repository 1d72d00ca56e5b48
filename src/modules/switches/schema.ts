import Type from 'typebox';
import { STRATEGIES } from '../../domain/strategy.js';
import { Body, Count, KnownOf, LongCount, Named, OneOf, Reply, ResponseText } from '../../http/primitives.js';

export { CreationPreferenceBodySchema, CreationPreferenceSchema } from '../creation-preference/schema.js';
export { SyncRunSchema } from '../syncs/schema.js';

export const PreviewBodySchema = Named(
  'SwitchPreviewInput',
  Body(
    {
      strategy: OneOf(STRATEGIES, { description: 'How vendors become companies.' }),
      include_labs: Type.Optional(
        Type.Boolean({ description: 'Whether laboratories become companies. Defaults to the current value.' }),
      ),
    },
    { examples: [{ strategy: 'one_per_vendor' }] },
  ),
);

const Namesakes = Named(
  'Namesakes',
  Reply(
    {
      name: ResponseText({ description: 'The shared name.', examples: ['GREEN LEAF'] }),
      companies: Type.Array(
        Named(
          'Namesake',
          Reply({
            license_numbers: Type.Array(ResponseText({ examples: ['220091777'] })),
            ubi: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
          }),
        ),
        { description: 'At most 20 of the companies.' },
      ),
      count: Count({ description: 'The number of companies.' }),
    },
    {
      description:
        'Companies that share a name, so that they look the same in LeafLink, which shows customers by name.',
    },
  ),
);

const StrategyAdvice = Named(
  'StrategyAdvice',
  Reply({
    strategy: KnownOf(STRATEGIES),
    companies: Count({ description: 'The number of companies.' }),
    companies_with_several_licenses: Count({
      description: 'Companies with several licenses. Each license is a separate customer in LeafLink.',
    }),
    companies_sharing_a_name: Count({ description: 'Companies that share their name with another one.' }),
    namesakes: Type.Array(Namesakes, {
      description: 'The groups of companies that share a name, largest first. At most 50.',
    }),
  }),
);

export const AdviceSchema = Named(
  'CompanyCreationPreferenceAdvice',
  Reply({
    vendors: Count({ description: 'UBIs with an active license.' }),
    licenses: Count({ description: 'Active licenses.' }),
    licenses_without_vendor: Count({
      description: 'Active licenses without a UBI. Each becomes a separate company under either strategy.',
    }),
    vendors_with_several_licenses: Count({ description: 'UBIs with more than one active license.' }),
    most_licenses_of_a_vendor: Count({ description: 'The highest number of active licenses under one UBI.' }),
    include_labs: Type.Boolean({ description: 'Whether laboratories are counted, according to the preference.' }),
    strategies: Type.Array(StrategyAdvice, { description: 'The result of each strategy.' }),
    directory_version: LongCount({ description: "The version of the state's list that was used." }),
  }),
);
