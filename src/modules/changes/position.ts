import { ServiceError } from '../../domain/service-error.js';
import type { Feed } from './repository.js';

/** The objects of a snapshot, in this order. */
export const SNAPSHOT_PARTS = ['company', 'license', 'own_license'] as const;
export type SnapshotPart = (typeof SNAPSHOT_PARTS)[number];

/** Up to where a reader has read the feed. */
export interface FeedPosition {
  readonly epoch: string;
  /** The last change that the reader knows; for a snapshot, the one as of which it is read. */
  readonly seq: number;
  /** The id of that change; null before the first one. */
  readonly changeId: string | null;
  /** The last object of a snapshot that is being read; undefined in the tail. */
  readonly snapshot?: { readonly part: SnapshotPart; readonly after: string };
}

export const toPositionText = ({ epoch, seq, changeId, snapshot }: FeedPosition): string =>
  [epoch, seq, changeId ?? '', ...(snapshot === undefined ? [] : [snapshot.part, snapshot.after])].join(':');

/** @param text made by `toPositionText`; cursors are signed */
export function parsePosition(text: string): FeedPosition {
  const [epoch = '', seq, changeId, part, after] = text.split(':');
  const snapshot = part === undefined || after === undefined ? {} : { snapshot: { part: part as SnapshotPart, after } };
  return { epoch, seq: Number(seq), changeId: changeId === '' ? null : (changeId ?? null), ...snapshot };
}

const BEGIN_AGAIN = 'Replace what you have stored: read the feed from the beginning, without page[after].';

/**
 * @param feed with the change that now has the number of the position
 * @throws ServiceError `feed_rewound` if the reader knows changes that this feed does not have, `feed_expired` if the feed no
 *   longer has all changes after the position
 */
export function checkPosition({ epoch, seq, changeId }: FeedPosition, feed: Feed): void {
  if (epoch !== feed.epoch || seq > feed.lastSeq) throw new ServiceError('feed_rewound', BEGIN_AGAIN);
  if (seq < feed.startSeq) throw new ServiceError('feed_expired', BEGIN_AGAIN);
  if (changeId !== feed.changeId) throw new ServiceError('feed_rewound', BEGIN_AGAIN);
}
