import type { RefusalClass } from './answers.js';
import { REFUSAL_CLASSES } from './refusals.js';

/** Everything that may be refused by name; a privilege is called like its action. */
export const ACTIONS = ['login', 'sync_vendor', 'sync_check', 'sync_qa_lab', 'sync_third_party_transporter'] as const;
export type Action = (typeof ACTIONS)[number];

/** How BioTrack refused: its text and code, if there are any, are all the evidence. */
export interface RefusedAnswer {
  readonly action: Action;
  readonly text: string | undefined;
  readonly code: string | undefined;
  readonly status: number;
}

export interface ClassifiedRefusal {
  readonly refusal: RefusalClass;
  readonly privilege: string | undefined;
}

const ALL: readonly RefusalClass[] = Object.values(REFUSAL_CLASSES);
const BY_TEXT = ALL.filter((refusal) => refusal.text !== undefined);
const BY_CODE = ALL.filter((refusal) => refusal.code !== undefined || refusal.status !== undefined);
const BY_ACTION = ALL.filter((refusal) => refusal.isBare === true);
/** No text of BioTrack's is nearly as long; a long one could only slow the search down. */
const MOST_TEXT = 2_000;

/** Text first, code second, action third. The same code has different meanings, and 602 has many. */
export function classifyRefusal(answer: RefusedAnswer): ClassifiedRefusal {
  const text = answer.text?.slice(0, MOST_TEXT).replace(/\s+/gu, ' ');
  const refusal =
    (text === undefined ? undefined : BY_TEXT.find((each) => isMeantFor(each, answer) && each.text?.test(text))) ??
    BY_CODE.find((each) => isMeantFor(each, answer) && isCode(each, answer)) ??
    (answer.text === undefined && answer.code === undefined
      ? BY_ACTION.find((each) => isMeantFor(each, answer))
      : undefined) ??
    REFUSAL_CLASSES.unknown;
  return {
    refusal,
    privilege: refusal.reason === 'privilege_missing' ? toPrivilege(refusal, text, answer.action) : undefined,
  };
}

const isMeantFor = ({ at }: RefusalClass, { action }: RefusedAnswer): boolean =>
  at === undefined || (at === 'login') === (action === 'login');

const isCode = (refusal: RefusalClass, { code, status }: RefusedAnswer): boolean =>
  refusal.code === undefined ? refusal.status === status : refusal.code === code;

/** Only a name that we know is taken out of BioTrack's text. */
const toPrivilege = (refusal: RefusalClass, text: string | undefined, action: Action): string => {
  const named = text === undefined ? undefined : refusal.text?.exec(text)?.groups?.privilege?.toLowerCase();
  return ACTIONS.find((known) => known === named) ?? action;
};
