/** Texte für Adressen des Betrachters, die zu mehreren Studien führen oder zu keiner. */

import type en from './invocation.en';

const de: Record<keyof typeof en, string | [string, string]> = {
  'choose.title': 'Welche Studie?',
  'choose.studies': ['{n} Studie passt zu dieser Adresse.', '{n} Studien passen zu dieser Adresse. Bitte eine wählen.'],
  'choose.patients': [
    '{n} Patient passt zu dieser Adresse.',
    'Die gefundenen Studien gehören anscheinend {n} verschiedenen Patienten. Bitte vor der Wahl prüfen, wer gemeint ist.',
  ],
  'choose.more': 'Es gibt weitere; aufgeführt sind nur die neuesten.',
  'choose.born': 'geboren {date}',
  'choose.bornUnknown': 'Geburtsdatum unbekannt',
  'choose.issuer': 'Kennung vergeben von {issuer}',
  'choose.undated': 'ohne Datum',
  'choose.unnamed': 'Ohne Beschreibung',
  'choose.series': ['{n} Serie', '{n} Serien'],
  'choose.accession': 'Anforderungsnummer {number}',
  'choose.none': 'Keine Studie zu zeigen',
  'choose.list': 'Zur Studienliste',
  'audit.action.study.priors': 'Weitere Studien eines Patienten gelistet',
  'audit.action.preferences.change': 'Vorgabe geändert',
  'audit.detail.from': 'über',
  'problem.view-address': 'Diese Adresse sagt nicht, welche Studie gemeint ist, oder nicht in verständlicher Form.',
  'problem.nothing-to-view': 'Zu dieser Adresse gibt es hier keine Studie, oder keine, die Sie sehen dürfen.',
};

export default de;
