/** What an event of the audit notes beside it, in words: the names of details, and those of their values that are codes. */

import { formatBytes, formatDate, formatDuration, formatInstant, formatNumber, t, tCode } from '../i18n/index.svelte';
import { regionName } from '../privacy/regions';

export interface Detail {
  name: string;
  text: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-/;
const NAMED = /^([a-z_]+) (\S+)$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;
const DAY = /^\d{4}-\d\d-\d\d$/;
const LONG_HEX = /^[0-9a-f]{40,}$/;

/** Where the words of a detail's values stand elsewhere in the catalogue. */
const BORROWED: Readonly<Record<string, readonly string[]>> = {
  code: ['quarantine.code', 'problem'],
  does: ['routing.kind'],
  ground: ['requests.ground'],
  kinds: ['factor.kind'],
  language: ['language'],
  measure: ['amounts.measure'],
  reach: ['priorRule'],
  reason: ['directory.reason', 'problem'],
  rights: ['access.right'],
  role: ['role'],
  state: ['requests.state', 'directory.state'],
  text: ['texts'],
};

/** The same for what kind it was, by what the event is about. */
const KINDS: Readonly<Record<string, string>> = {
  access: 'glass.kind',
  agreement: 'agreements.kind',
  directory: 'directory.run',
  display: 'roomcheck.kind',
  factor: 'factor.kind',
  login: 'factor.kind',
  mark: 'mark',
  request: 'requests.kind',
  source: 'source.kind',
};

/** Details whose values are names of fields. */
const FIELDS = new Set(['by', 'changed', 'fields']);
/** Details that hold several values in one text. */
const SEVERAL = new Set(['changed', 'fields', 'kinds']);

/** The end of an id: ids of one moment begin alike. */
export function short(id: string): string {
  return id.slice(-8);
}

function prefixes(action: string, name: string): string[] {
  const kinds = action.includes('restrict') ? 'restricted.kind' : (KINDS[action.split('.')[0] ?? ''] ?? 'audit.kind');
  return [`audit.value.${name}`, ...(FIELDS.has(name) ? ['audit.field', 'audit.detail'] : []), ...(name === 'kind' ? [kinds] : []), ...(BORROWED[name] ?? [])];
}

/** A code in words; as it stands where there are none. */
function worded(action: string, name: string, code: string): string {
  for (const prefix of prefixes(action, name)) {
    const said = tCode(prefix, code, '');
    const short = prefix === 'problem' ? said.replace(/\.(\s.*)?$/s, '') : said; // what was wrong, without what to do
    if (short && !/\{\w+[|}]/.test(short)) return short;
  }
  return code;
}

function textOf(action: string, name: string, text: string): string {
  if (SEVERAL.has(name) && text.includes(',')) return text.split(',').map((one) => worded(action, name, one.trim())).join(', ');
  const said = worded(action, name, name === 'level' ? text.toLowerCase() : text);
  if (said !== text) return said;
  if (UUID.test(text)) return short(text);
  if (INSTANT.test(text)) return formatInstant(text);
  if (DAY.test(text)) return formatDate(text);
  if (name === 'region') return regionName(text);
  if (LONG_HEX.test(text)) return `${text.slice(0, 16)}…`;
  const [, kind, id] = NAMED.exec(text) ?? [];
  const what = kind ? tCode('audit.kind', kind, '') : '';
  if (what && id) return `${what} ${kind === 'role' ? tCode('role', id, id) : UUID.test(id) ? short(id) : id}`;
  return text;
}

/** A value of an event's details; empty where it says nothing. */
function said(action: string, name: string, value: unknown): string {
  if (value === null || value === undefined || value === '') return '';
  if (Array.isArray(value)) return value.map((one) => said(action, name, one)).filter(Boolean).join(', ');
  if (typeof value === 'object') {
    return Object.entries(value).map(([part, one]) => `${nameOf(part, true)}: ${said(action, part, one) || '–'}`).join(', ');
  }
  if (typeof value === 'boolean') return t(value ? 'yes' : 'no');
  if (typeof value === 'number') return name.endsWith('_s') ? formatDuration(value) : name.endsWith('bytes') ? formatBytes(value) : formatNumber(value);
  return textOf(action, name, String(value));
}

/** What a detail is called; one that is a field of something, or says yes or no, by that field's name. */
function nameOf(name: string, isField: boolean): string {
  const [first, second] = isField ? ['audit.field', 'audit.detail'] : ['audit.detail', 'audit.field'];
  return tCode(first ?? '', name, tCode(second ?? '', name, name));
}

/** All that is noted beside an event, but for what says nothing. */
export function detailsOf(action: string, detail: Record<string, unknown>): Detail[] {
  return Object.entries(detail)
    .map(([name, value]) => ({ name: nameOf(name, typeof value === 'boolean'), text: said(action, name, value) }))
    .filter(({ text }) => text);
}
