/** Deutsche Texte des ersten Bildes einer Studie, und was jede Seite zu sagen haben kann. Die übrigen kommen danach. */

import type { First } from './en';

const first: First = {
  loading: 'Wird geladen …',
  retry: 'Erneut versuchen',
  reload: 'Seite neu laden',
  close: 'Schließen',
  'line.away': 'Der Server antwortet nicht',
  'line.unsaved': ['{n} Eintrag noch nicht gespeichert', '{n} Einträge noch nicht gespeichert'],
  'problem.unreachable': 'Der Server antwortet nicht. Bitte die Verbindung prüfen.',
  'problem.unexpected': 'Etwas ist schiefgegangen.',
  'problem.chunk': 'Dieser Teil der Seite ließ sich nicht laden; vielleicht gibt es eine neue Version.',
  'missing.back': 'Zu den Studien',
  'study.noName': 'Ohne Namen',
  'view.back': 'Zurück zur Liste',
  'view.image': 'Bild {index} von {count}',
  'view.frame': 'Einzelbild {frame} von {frames}',
  'view.window': 'B {width}  M {center}',
  'view.scroll': 'Stelle in der Serie',
  'view.loading': 'Bild unterwegs',
  'view.again': 'Der Server war beschäftigt; neuer Versuch',
  'view.cut': 'Das Ende dieses Bildes fehlt',
  'view.cutBy': 'Das Ende dieses Bildes fehlt ({share} kamen nicht an)',
  'view.lacking': 'Das Objekt nennt {named} Bilder; {here} sind lesbar',
  'view.lacksTools': 'Die Werkzeuge des Betrachters ließen sich nicht laden. Laden Sie die Seite neu.',
  'view.lacksMarks': 'Die Messungen ließen sich nicht laden: Diese Studie hat vielleicht welche, die Sie nicht sehen. Laden Sie die Seite neu.',
  'view.atDetector': 'am Detektor',
  'view.serverFault': 'Der Server konnte es nicht lesen. Die anderen Bilder gehen weiter.',
  'view.failed': 'Dieses Bild lässt sich nicht zeigen',
  'view.damaged': 'Was davon ankam, ist beschädigt. Die anderen Bilder gehen weiter.',
  'view.noStudy': 'Diese Studie lässt sich nicht öffnen',
  'view.noSeries': 'Von dieser Studie ist noch nichts eingetroffen.',
  'view.arrived': ['{n} weiteres Bild ist eingetroffen – zeigen', '{n} weitere Bilder sind eingetroffen – zeigen'],
  'view.noScale': 'Nicht kalibriert: keine Längen',
  'whyNot.download': 'Objekt herunterladen',
  'layout.pane': 'Feld {n}',
  'layout.empty': 'Eine Serie hierher ziehen oder auswählen',
  'prior.mark': 'Andere Untersuchung, {date}',
  'gap.after': [
    'Nach diesem Bild fehlt eines ({gap}\u00a0mm bis zum nächsten)',
    'Nach diesem Bild fehlen {n} ({gap}\u00a0mm bis zum nächsten)',
  ],
  'gap.before': [
    'Vor diesem Bild fehlt eines ({gap}\u00a0mm vom vorigen)',
    'Vor diesem Bild fehlen {n} ({gap}\u00a0mm vom vorigen)',
  ],
  'gap.series': ['An einer Stelle dieser Serie fehlen Bilder', 'An {n} Stellen dieser Serie fehlen Bilder'],
};

export default first;
