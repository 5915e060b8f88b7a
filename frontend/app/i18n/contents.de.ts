/** Deutsche Texte für das, was eine Studie außer einfachen Bildern enthält. */

import type en from './contents.en';

const de: Record<keyof typeof en, string | [string, string]> = {
  'content.report': 'Strukturierter Befund',
  'content.waveform': 'Kurven',
  'content.pdf': 'Dokument',
  'content.video': 'Video',
  'content.slide': 'Schnittpräparat',
  'header.title': 'Alle Attribute des Objekts',
  'report.untitled': 'Befund ohne Titel',
  'report.verified': 'Bestätigt',
  'report.unverified': 'Nicht bestätigt',
  'report.partial': 'Unvollständig',
  'report.complete': 'Vollständig',
  'report.preliminary': 'Vorläufig',
  'report.verifiedBy': 'Bestätigt von',
  'report.author': 'Verfasst von',
  'report.context': 'Wer befundet hat, und wie',
  'report.evidence': ['Aus {n} Objekt erstellt', 'Aus {n} Objekten erstellt'],
  'report.shortened': 'Dieser Befund ist sehr groß; nicht alles davon steht hier. Laden Sie das Objekt für den Rest herunter.',
  'report.empty': 'Dieser Befund hat keinen Inhalt.',
  'report.nothing': 'Hier steht nichts.',
  'report.measurement': 'Messung',
  'report.value': 'Wert',
  'report.image': 'Bild',
  'report.imageNumber': 'Bild {number}',
  'report.frame': 'Einzelbild {frame}',
  'report.notHere': 'Ein Objekt, das nicht hier ist',
  'report.more': ['{n} weiteres', '{n} weitere'],
  'report.outline': 'Ein Umriss im Bild ({form})',
  'report.see': 'Siehe „{name}“',
  'report.refers': 'Verweist auf',
};

export default de;
