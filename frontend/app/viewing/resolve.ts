/** What an address of the viewer names: a study by its id, or something that the server has to look up. */

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const NAMING = ['study', 'accession', 'patient', 'studyUID', 'accessionNumber', 'patientID', 'requestType'];

/** Tells whether the server has to be asked which study is meant. */
export function mustResolve(search: URLSearchParams): boolean {
  if (ID.test(search.get('study') ?? '')) return false;
  return NAMING.some((name) => search.get(name));
}

interface OfPatient {
  patient: { id: string; issuer: string };
}

/** Parts studies by whose they are (issuer and ID), each person's together, in the order in which they first come. */
export function byPatient<S extends OfPatient>(studies: readonly S[]): S[][] {
  const people = new Map<string, S[]>();
  for (const study of studies) {
    const key = JSON.stringify([study.patient.issuer, study.patient.id]);
    const own = people.get(key);
    if (own) own.push(study);
    else people.set(key, [study]);
  }
  return [...people.values()];
}
