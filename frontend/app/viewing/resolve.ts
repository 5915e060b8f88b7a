/** What an address of the viewer names: a study by its id, or something that the server has to look up. */

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const NAMING = ['study', 'accession', 'patient', 'studyUID', 'accessionNumber', 'patientID', 'requestType'];

/** Tells whether the server has to be asked which study is meant. */
export function mustResolve(search: URLSearchParams): boolean {
  if (ID.test(search.get('study') ?? '')) return false;
  return NAMING.some((name) => search.get(name));
}

/** Parts studies by whose they are, as the server says of each, in the order in which people first come. */
export function byPerson<S>(studies: readonly S[], whose: readonly number[]): S[][] {
  const people = new Map<number, S[]>();
  studies.forEach((study, at) => {
    const person = whose[at] ?? -1 - at; // nobody is taken for another
    people.set(person, [...(people.get(person) ?? []), study]);
  });
  return [...people.values()];
}
