/** What a drawing is called in the list, and where it stands there. */

import type { ListedDrawing } from '../api/drawings';
import type { SeriesRow } from '../api/types';

/** Over the series that is looked at, in its space though drawn on another, over others, over none that is known. */
export const WHERE = ['here', 'space', 'elsewhere', 'unknown'] as const;

export function whereOver({ over, drawn_on: named }: Pick<ListedDrawing, 'over' | 'drawn_on'>, series: string): (typeof WHERE)[number] {
  if (over.includes(series)) return named.length === 0 || named.includes(series) ? 'here' : 'space';
  return over.length > 0 ? 'elsewhere' : 'unknown';
}

/** Its own label with its series' description, as systems label all of theirs alike; `kind` where it has neither. */
export function nameOf({ label }: Pick<ListedDrawing, 'label'>, series: Pick<SeriesRow, 'description'> | undefined, kind: string): string {
  const described = series?.description ?? '';
  const parts = [label, described && !label.includes(described) ? described : ''];
  return parts.filter(Boolean).join(' · ') || kind;
}
