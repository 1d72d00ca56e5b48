import Type from 'typebox';
import { STRATEGIES } from '../../domain/strategy.js';
import { Body, Count, Named, OneOf, Reply, Shown } from '../../http/primitives.js';

export { CreationPreferenceBodySchema, CreationPreferenceSchema } from '../creation-preference/schema.js';
export { SyncRunSchema } from '../syncs/schema.js';

export const PreviewBodySchema = Body(
  {
    strategy: OneOf(STRATEGIES, { description: 'How vendors would become companies.' }),
    include_labs: Type.Optional(
      Type.Boolean({ description: 'Whether laboratories would become companies too; as it is now unless told.' }),
    ),
  },
  { examples: [{ strategy: 'one_per_vendor' }] },
);

const Namesakes = Named(
  'Namesakes',
  Reply(
    {
      name: Shown({ description: 'What they are all called.', examples: ['GREEN LEAF'] }),
      companies: Type.Array(
        Reply({
          license_numbers: Type.Array(Shown({ examples: ['220091777'] })),
          ubi: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
        }),
        { description: 'At most 20 of them.' },
      ),
      count: Count({ description: 'How many they are.' }),
    },
    { description: 'Companies of one name: LeafLink, which shows a customer by its name, could not tell them apart.' },
  ),
);

const StrategyAdvice = Named(
  'StrategyAdvice',
  Reply({
    strategy: OneOf(STRATEGIES),
    companies: Count({ description: 'How many there would be.' }),
    companies_with_several_licenses: Count({
      description: 'A LeafLink customer is one license: such a company has several customers there.',
    }),
    companies_sharing_a_name: Count({ description: 'How many could be mistaken for another one by their name.' }),
    namesakes: Type.Array(Namesakes, { description: 'The largest groups of them, at most 50.' }),
  }),
);

export const AdviceSchema = Named(
  'CompanyCreationPreferenceAdvice',
  Reply({
    vendors: Count({ description: 'UBIs with an active license.' }),
    licenses: Count({ description: 'Active licenses.' }),
    licenses_without_vendor: Count({ description: 'Licenses without a UBI: each stands alone under either strategy.' }),
    vendors_with_several_licenses: Count(),
    most_licenses_of_a_vendor: Count(),
    include_labs: Type.Boolean({ description: 'Whether laboratories are counted: as the preference says.' }),
    strategies: Type.Array(StrategyAdvice, { description: 'What each strategy would make of them.' }),
    directory_version: Count({ description: "Which version of the state's list this is said of." }),
  }),
);
