/** Words for addresses of the viewer that lead to several studies, or to none. */

const en = {
  'choose.title': 'Which study?',
  'choose.studies': ['{n} study matches this address.', '{n} studies match this address. Choose one.'],
  'choose.patients': [
    '{n} patient matches this address.',
    'The studies found seem to belong to {n} different patients. Make sure whom you mean before you choose.',
  ],
  'choose.more': 'There are more; only the newest are listed.',
  'choose.born': 'born {date}',
  'choose.bornUnknown': 'birth date unknown',
  'choose.issuer': 'ID issued by {issuer}',
  'choose.undated': 'no date',
  'choose.unnamed': 'No description',
  'choose.series': ['{n} series', '{n} series'],
  'choose.accession': 'Accession {number}',
  'choose.none': 'No study to show',
  'choose.list': 'To the study list',
  'audit.action.study.priors': 'Other studies of a patient listed',
  'audit.action.preferences.change': 'Default setting changed',
  'audit.detail.from': 'from',
  'problem.view-address': 'This address does not say which study is meant, or not in a form that can be understood.',
  'problem.nothing-to-view': 'No study here matches this address, or none that you may see.',
} satisfies Record<string, string | [string, string]>;

export default en;
