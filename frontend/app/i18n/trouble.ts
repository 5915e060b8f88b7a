/** Errors in the reader's words: by the code that the server gives, with what its facts name. */

import type { Trouble } from '../api/types';
import type { Key } from './en';
import { formatDuration, language, t, tCode } from './index.svelte';

/** Fields of the interface as the forms call them. */
const fields: Readonly<Record<string, Key>> = {
  name: 'field.name',
  ae_title: 'field.ae',
  calling_ae_title: 'field.callingAe',
  host: 'field.host',
  port: 'field.port',
  role: 'field.role',
  username: 'login.username',
  full_name: 'field.name',
  email: 'field.email',
  address: 'field.email',
  url: 'destinations.url',
  receiver: 'destinations.receiver',
  kind: 'destinations.kind',
  kib_per_s: 'destinations.speed',
  windows: 'destinations.hours',
  commitment: 'destinations.commitment',
  performed_steps: 'destinations.steps',
  new_password: 'login.new',
  folder: 'source.folder',
  callers: 'source.callers',
  issuer_of_patient_id: 'source.issuer',
  retention_s: 'source.retention',
  max_age_s: 'source.maxAge',
  quiet_s: 'source.quiet',
  quota_bytes: 'source.quota',
  expires_at: 'column.expires',
  until: 'hold.until',
  reason: 'hold.reason',
  birth_date: 'filter.birthDate',
  patient_id: 'filter.patientId',
  issuer: 'source.issuer',
  sex: 'imports.field.sex',
  accession: 'filter.accession',
  date_from: 'filter.from',
  date_to: 'filter.to',
};

/** What a field of a node has to be, as the server refuses it otherwise. */
const nodeRules: Readonly<Record<string, Key>> = {
  name: 'rule.name',
  ae_title: 'rule.ae',
  calling_ae_title: 'rule.ae',
  host: 'rule.host',
  port: 'rule.port',
  url: 'rule.url',
  username: 'rule.username',
};
const ofNodes = new Set(['pacs-invalid', 'destination-invalid']);

function fieldText(name: string): string {
  const key = fields[name];
  return key ? t(key) : name;
}

/** The fields that an error names: its own, or those of a request that was not understood. */
function fieldsOf(facts: Trouble['facts']): string {
  if (typeof facts['field'] === 'string') return fieldText(facts['field']);
  const errors = Array.isArray(facts['errors']) ? (facts['errors'] as { where?: unknown }[]) : [];
  const named = errors.map(({ where }) => String(where ?? '').split('.').at(-1) ?? '').filter(Boolean);
  return [...new Set(named)].map(fieldText).join(', ');
}

/** How long somebody waits, to the minute where it is more than one. */
function waitText(seconds: number): string {
  return formatDuration(seconds > 60 ? Math.ceil(seconds / 60) * 60 : Math.ceil(seconds));
}

/** Says an error; one that has no words here says the server's. */
export function troubleText({ code, detail, facts }: Trouble): string {
  const values: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(facts)) {
    if (typeof value === 'string' || typeof value === 'number') values[name] = value;
  }
  const field = fieldsOf(facts);
  const rule = ofNodes.has(code) ? nodeRules[String(facts['field'])] : undefined;
  if (field) values['field'] = rule ? `${field} (${t(rule)})` : field;
  else if (code === 'invalid') return language() === 'en' && detail ? detail : t('problem.invalidSomewhere');
  const wait = values['retry_after_s'];
  if (code === 'too-many-attempts' && typeof wait === 'number') return t('login.tooMany', { wait: waitText(wait) });
  if (code === 'portal-answer-wrong' && values['left'] === undefined) return t('problem.portal-answer-wrong-uncounted');
  return tCode('problem', code, detail, values);
}
