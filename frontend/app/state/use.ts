/**
 * What is told of how the pages are used, where the site counts that. It is held here, in memory alone, until what sends it
 * is read (statistics/reporter); of who has not agreed it is thrown away then. Where nothing is counted nothing is held.
 */

export type Use = { kind: 'page' | 'viewer' | 'first-picture' | 'error' | 'device'; value: string };

const MOST = 50;
const told: Use[] = [];

/** To which version of counting a reader would agree; 0 where the site does not count. */
export const counted = Number(typeof document === 'undefined' ? 0 : (document.documentElement.dataset?.['statistics'] ?? 0));

/** Tells of something that was done. */
export function tell(kind: Use['kind'], value: string): void {
  if (counted && told.length < MOST) told.push({ kind, value });
}

/** Takes what was told. */
export const taken = (): Use[] => told.splice(0);

const CLASSES: Record<string, readonly string[]> = {
  XR: ['CR', 'DX', 'DR', 'RF', 'RG', 'XA', 'PX', 'IO'], CT: ['CT'], MR: ['MR'], PT: ['PT'], NM: ['NM'], US: ['US', 'IVUS'], MG: ['MG'],
};

/** The class of a study's first modality that has one. */
export function modalityClass(modalities: readonly string[]): string {
  for (const modality of modalities) {
    const found = Object.entries(CLASSES).find(([, all]) => all.includes(modality));
    if (found) return found[0];
  }
  return 'other';
}

/** In which span a first picture came. */
export function spanOf(ms: number): string {
  return ms < 1_000 ? 'under-1s' : ms < 2_000 ? 'under-2s' : ms < 5_000 ? 'under-5s' : 'over-5s';
}
