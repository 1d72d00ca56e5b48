import { ANSWERS, type AnswerClass, type AnswerMatch, type ResponseBody } from './answers.js';

/** Every call that BioTrack can refuse by name. A privilege has the name of its action. */
export const ACTIONS = ['login', 'sync_vendor', 'sync_check', 'sync_qa_lab', 'sync_third_party_transporter'] as const;
export type Action = (typeof ACTIONS)[number];

/** One complete HTTP response. */
export interface ResponseFacts {
  readonly action: Action;
  readonly status: number;
  readonly body: ResponseBody;
}

export interface ClassifiedResponse {
  readonly answer: AnswerClass;
  /** The missing privilege, if that is what BioTrack refused. */
  readonly privilege: string | undefined;
}

const MATCHERS: readonly AnswerClass[] = Object.values(ANSWERS).filter((answer) => 'match' in answer);
/** BioTrack's own texts are much shorter. The limit bounds the time of the search. */
const MAX_TEXT_LENGTH = 2_000;

/** The first class of the table that matches; undefined for a successful response. */
export function classifyResponse({ action, status, body }: ResponseFacts): ClassifiedResponse | undefined {
  const text = body.kind === 'refused' ? body.text?.slice(0, MAX_TEXT_LENGTH).replace(/\s+/gu, ' ') : undefined;
  const code = body.kind === 'refused' ? body.code : undefined;
  const isBare = body.kind === 'refused' && text === undefined && code === undefined;
  const matches = (match: AnswerMatch): boolean =>
    (match.status === undefined || (status >= match.status[0] && status <= match.status[1])) &&
    (match.body === undefined || match.body === body.kind) &&
    (match.text === undefined || (text !== undefined && match.text.test(text))) &&
    (match.code === undefined || match.code === code) &&
    (match.at === undefined || (match.at === 'login') === (action === 'login')) &&
    (match.isBare === undefined || isBare);
  const answer = MATCHERS.find(({ match }) => match !== undefined && matches(match));
  if (answer === undefined) return undefined;
  return { answer, privilege: answer.reason === 'privilege_missing' ? toPrivilege(answer, text, action) : undefined };
}

/** Only the name of a known action is taken from BioTrack's text. */
function toPrivilege({ match }: AnswerClass, text: string | undefined, action: Action): string {
  const name = text === undefined ? undefined : match?.text?.exec(text)?.groups?.privilege?.toLowerCase();
  return ACTIONS.find((known) => known === name) ?? action;
}
