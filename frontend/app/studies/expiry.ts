/** How near a study's end is. */

const HOUR_MS = 3_600_000;

export type Nearness = 'none' | 'far' | 'near' | 'imminent';

export function nearness(expiresAt: string | null, now: number): Nearness {
  if (!expiresAt) return 'none';
  const left = Date.parse(expiresAt) - now;
  if (left < 2 * HOUR_MS) return 'imminent';
  return left < 12 * HOUR_MS ? 'near' : 'far';
}
