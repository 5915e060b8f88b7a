/** Numbers with which patients come back. */

/** A number as it is read from paper: in groups of four. */
export const inGroups = (number: string): string => number.match(/.{1,4}/g)?.join(' ') ?? '';
