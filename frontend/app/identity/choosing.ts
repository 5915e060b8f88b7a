/** What stands against a new password, in words: the site's rules, and whether it was found in a breach. */

import { passwords, type PasswordRules } from '../api/account';
import { t } from '../i18n/index.svelte';
import { LONGEST, weakness, type Weakness } from './strength';

const PREFIX_DIGITS = 5;

export async function readRules(): Promise<PasswordRules> {
  return passwords.rules();
}

/** Asks for all hashes that begin with five digits of this one's: the server learns no more of the password. */
async function isBreached(password: string): Promise<boolean> {
  const bytes = new TextEncoder().encode(password.normalize('NFC'));
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-1', bytes));
  const hex = [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('').toUpperCase();
  const suffixes = await passwords.breached(hex.slice(0, PREFIX_DIGITS));
  return suffixes.includes(hex.slice(PREFIX_DIGITS));
}

/** Nothing, or why this password cannot be taken. `current` is the present one, where it is known. */
export async function objection(fresh: string, again: string, username: string, current = ''): Promise<string> {
  const rules = await readRules();
  const said: Record<Weakness, () => string> = {
    length: () => t('problem.password-weak', { least: rules.shortest, most: LONGEST }),
    common: () => t('problem.password-common'),
    name: () => t('problem.password-names-user'),
    same: () => t('problem.password-unchanged'),
  };
  const weak = weakness(fresh, username, current, rules.shortest);
  if (weak) return said[weak]();
  if (fresh !== again) return t('login.notSame');
  return rules.breach_list && (await isBreached(fresh)) ? t('password.breached') : '';
}
