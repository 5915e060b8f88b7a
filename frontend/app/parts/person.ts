/** DICOM person names as people read them (PS3.5 6.2: groups by =, components by ^). */

export interface ReadableName {
  /** The alphabetic group, family name first. */
  main: string;
  /** The ideographic and phonetic groups, if sent. */
  other: string;
}

function readGroup(group: string): string {
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = group.split('^').map((part) => part.trim());
  const rest = [prefix, given, middle, suffix].filter(Boolean).join(' ');
  return [family, rest].filter(Boolean).join(', ');
}

function readIdeographs(group: string): string {
  return group.split('^').map((part) => part.trim()).filter(Boolean).join(' ');
}

/** All groups of a name, one after the other: where people are compared, a spelling must not stay hidden. */
export function wholeName(name: string): string {
  const { main, other } = readName(name);
  return [main, other].filter(Boolean).join(' · ');
}

export function readName(name: string): ReadableName {
  const [alphabetic = '', ...others] = name.split('=');
  const main = readGroup(alphabetic);
  const other = others.map(readIdeographs).filter(Boolean);
  if (!main) return { main: other.shift() ?? '', other: other.join(' · ') };
  return { main, other: other.join(' · ') };
}
