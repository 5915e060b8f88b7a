/** Rules for a new password. The browser keeps them: the server never sees one. */

export const SHORTEST = 12;
export const LONGEST = 256;
const FEWEST_CHARACTERS = 4;
const GUESSED_FIRST = new Set([
  '123456789012', '1234567890123', 'passwordpassword', 'password1234', 'password12345', 'qwertyuiopas', 'qwertzuiopasdfgh',
  'administrator', 'administrator1', 'letmeinletmein', 'radrelayradrelay', 'radiologie123', 'radiology1234', 'krankenhaus123',
  'willkommen123', 'welcome12345', 'changemechangeme', 'hallohallohallo',
]);

export type Weakness = 'length' | 'common' | 'name' | 'same';

/** What is wrong with a new password; null if nothing is. Characters are counted as the reader sees them typed. */
export function weakness(password: string, username: string, current: string, shortest = SHORTEST): Weakness | null {
  const plain = password.normalize('NFC');
  const length = [...plain].length;
  if (length < shortest || length > LONGEST) return 'length';
  const small = plain.toLowerCase();
  if (GUESSED_FIRST.has(small) || new Set(small).size < FEWEST_CHARACTERS) return 'common';
  if (username.length >= 3 && small.includes(username.normalize('NFC').toLowerCase())) return 'name';
  return plain === current.normalize('NFC') ? 'same' : null;
}
