/** What a release rule means, in one plain sentence. */

import { conditionNames, type Conditions, type NewRule } from '../api/rules';
import { language, t } from '../i18n/index.svelte';
import { sourceName } from '../parts/source-name';
import { list } from './saying';

/** Conditions of which any of several may hold. */
const several: readonly string[] = ['modality', 'body_part', 'calling_ae', 'called_ae'];

function said(name: string, value: string): string {
  if (!several.includes(name)) return value.trim();
  const all = value.split(',').map((one) => one.trim()).filter(Boolean);
  return new Intl.ListFormat(language(), { type: 'disjunction' }).format(all);
}

/** What a rule asks of a study: each condition with its value. */
export function askedOf(asked: Conditions, source: string): string[] {
  const texts = conditionNames.filter((name) => asked[name].trim() !== '').map((name) => t(`rules.asks.${name}`, { value: said(name, asked[name]) }));
  return asked.source_id ? [t('rules.asks.source', { value: sourceName(source) || t('rules.sourceGone') }), ...texts] : texts;
}

export function ruleSentence(rule: NewRule, group: string, source: string): string {
  return t('rules.sentence', {
    group: group || '–',
    what: list(askedOf(rule.conditions, source)),
    may: t(rule.may_download ? 'rules.seeAndDownload' : 'rules.see'),
    how: rule.identity === 'alias' ? t('access.byAlias') : '',
    lasts: rule.days === null ? t('rules.lastsOn') : t('rules.lastsDays', { n: rule.days }),
  });
}
