/** Presets of the date range: "today", "last seven days" in the reader's own time zone. */

export const presets = ['all', 'today', 'yesterday', 'week', 'month'] as const;
export type DatePreset = (typeof presets)[number];

function localDate(now: Date, daysBack: number): string {
  const day = new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysBack);
  const pad = (n: number): string => String(n).padStart(2, '0');
  return `${day.getFullYear()}-${pad(day.getMonth() + 1)}-${pad(day.getDate())}`;
}

export function presetRange(preset: DatePreset, now = new Date()): { date_from: string; date_to: string } {
  switch (preset) {
    case 'all':
      return { date_from: '', date_to: '' };
    case 'today':
      return { date_from: localDate(now, 0), date_to: '' };
    case 'yesterday':
      return { date_from: localDate(now, 1), date_to: localDate(now, 1) };
    case 'week':
      return { date_from: localDate(now, 6), date_to: '' };
    case 'month':
      return { date_from: localDate(now, 29), date_to: '' };
  }
}

export function presetOf(from: string, to: string, now = new Date()): DatePreset | null {
  return (
    presets.find((preset) => {
      const range = presetRange(preset, now);
      return range.date_from === from && range.date_to === to;
    }) ?? null
  );
}
