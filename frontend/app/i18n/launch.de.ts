/** Deutsche Texte dessen, was andere Programme öffnen: der Weg hinein, was ihn versperrt, und seine Schlüssel. */

import type words from './launch.en';

export default {
  'launch.opening': 'Die Bilder werden geöffnet …',
  'launch.failed': 'Die Bilder wurden nicht geöffnet',
  'launch.again': 'Bitte öffnen Sie die Bilder noch einmal aus Ihrem Programm.',
  'launch.launch-expired': 'Diese Adresse gilt nur eine Minute und ist abgelaufen.',
  'launch.launch-used': 'Diese Adresse wurde schon geöffnet. Jede öffnet sich einmal.',
  'launch.launch-refused': 'Diese Adresse ist nicht vollständig, oder ihr Programm darf hier keine Bilder mehr öffnen.',
  'launch.launch-shut': 'Das Konto, für das die Bilder geöffnet werden sollten, kann sich hier nicht anmelden. Bitte sagen Sie es Ihrer Administration.',
  'launch.launch-lost': 'Diese Bilder sind nicht mehr hier oder nicht für Sie.',
  'launch.ended': 'Die Bilder sind geschlossen',
  'launch.endedText': 'Sie wurden eine Weile nicht benutzt, oder ihre Zeit ist um.',
  'launch.framed': 'Hier ist niemand angemeldet',
  'launch.framedText': 'Dieses Fenster steht in einem anderen Programm. Dort fragt Radrelay nach keinem Passwort: Öffnen Sie die Bilder aus jenem Programm, oder melden Sie sich in einem eigenen Fenster von Radrelay an.',
  'launch.only': 'Hier werden nur Bilder gezeigt',
  'launch.onlyText': 'Dieses Fenster steht in einem anderen Programm. Alles außer den Bildern öffnet sich in einem eigenen Fenster von Radrelay.',
  'launch.own': 'Radrelay in eigenem Fenster öffnen',
  'launch.brought': 'Geöffnet aus {name}',
  'launch.broughtText': 'Sie sehen die Bilder, die {name} für Sie geöffnet hat, und sonst nichts von Radrelay. Für alles andere melden Sie sich selbst an.',
  'launch.back': 'Zurück zu den Bildern',
  'launch.login': 'Diese Bilder schließen und anmelden',

  'tokens.launch': 'Darf den Betrachter für Personen öffnen',
  'tokens.launchHint': 'Für ein RIS oder KIS: Wer diesen Schlüssel hat, öffnet Bilder im Namen jeder Person, die sie sehen darf. Geben Sie ihm die Rolle Dienst und keine Freigaben.',
  'tokens.launches': 'öffnet den Betrachter',

  'problem.launch-refused': 'Diese Adresse öffnet nichts. Öffnen Sie die Bilder noch einmal aus Ihrem Programm.',
  'problem.launch-expired': 'Diese Adresse ist abgelaufen. Öffnen Sie die Bilder noch einmal aus Ihrem Programm.',
  'problem.launch-used': 'Diese Adresse wurde schon geöffnet. Öffnen Sie die Bilder noch einmal aus Ihrem Programm.',
  'problem.launch-shut': 'Das Konto, für das die Bilder geöffnet werden sollten, kann sich hier nicht anmelden.',
  'problem.launch-lost': 'Diese Bilder sind nicht mehr hier oder nicht für Sie.',
  'problem.launch-right': 'Dieser Schlüssel darf den Betrachter nicht für Personen öffnen; eine Administratorin oder ein Administrator erzeugt einen, der es darf.',
  'problem.launch-user': 'Es gibt kein Konto dieses Namens, das sich anmelden kann.',
  'problem.not-by-launch': 'Ein anderes Programm hat diese Bilder für Sie geöffnet und sonst nichts. Melden Sie sich an, um mehr zu sehen.',
  'audit.kind.launch': 'Aufruf',
  'audit.action.launch.make': 'Programm möchte den Betrachter öffnen',
  'audit.action.launch.open': 'Betrachter durch ein Programm geöffnet',
} satisfies Record<keyof typeof words, string | [string, string]>;
