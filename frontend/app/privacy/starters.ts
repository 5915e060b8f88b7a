/** Where a site begins its texts: short, to be changed by whoever answers for them. They are texts of the site, not of the pages. */

import type { TextKind } from '../api/privacy';

export const starters: Record<TextKind, { english: string; german: string }> = {
  notice: {
    english: `Controller: {controller}

Data protection officer: {officer}

## What is processed, and why
Radiology studies with the data of the patient that they contain, to diagnose, to treat and to hand them on to those who treat (GDPR Art. 6 (1) and Art. 9 (2) h). Of those who log in: name, user name, and a record of what they do, because the law asks for it.

## How long studies stay
{retention}

The data are kept in {region}. The record of who has seen what is kept as the law asks.

## Who else processes the data
{processors}

## Statistics of use
{statistics}

## What your browser keeps
{browser}

This is all, and none of it is for advertising.

## Your rights
You can ask what is held of you, and have it corrected, erased or restricted; you can object. Write to the data protection officer. You can complain to {authority}.`,
    german: `Verantwortlich: {controller}

Datenschutzbeauftragt: {officer}

## Was verarbeitet wird und wozu
Radiologische Studien mit den Daten des Patienten, die sie enthalten, um zu befunden, zu behandeln und sie an Behandelnde weiterzugeben (DSGVO Art. 6 Abs. 1 und Art. 9 Abs. 2 h). Von Menschen mit Konto: Name, Benutzername und ein Protokoll dessen, was sie tun, weil das Gesetz es verlangt.

## Wie lange Studien bleiben
{retention}

Die Daten liegen in {region}. Das Protokoll, wer was gesehen hat, bleibt so lange, wie das Gesetz es verlangt.

## Wer sonst Daten verarbeitet
{processors}

## Nutzungsstatistik
{statistics}

## Was Ihr Browser speichert
{browser}

Das ist alles, und nichts davon dient der Werbung.

## Ihre Rechte
Sie können Auskunft verlangen, berichtigen, löschen und einschränken lassen und widersprechen. Schreiben Sie der oder dem Datenschutzbeauftragten. Beschweren können Sie sich bei: {authority}.`,
  },
  terms: {
    english: `- Your login is yours alone. Tell nobody your password.
- Look at studies only of patients whom you treat, or for whom it is your task.
- What you look at, download and hand on is on record.
- If your login may have been used by somebody else, tell us at once: {officer}.`,
    german: `- Ihre Anmeldung gehört Ihnen allein. Nennen Sie niemandem Ihr Passwort.
- Sehen Sie nur Studien von Menschen an, die Sie behandeln oder für die es Ihre Aufgabe ist.
- Was Sie ansehen, herunterladen und weitergeben, wird protokolliert.
- Könnte jemand anderes Ihre Anmeldung benutzt haben, sagen Sie es sofort: {officer}.`,
  },
  consent: {
    english: `I want {organisation} to fetch my images from the practice or clinic that gave me the link.

- **What:** the link, my birth date and my answers go to that practice or clinic. It sends my images and reports here.
- **What for:** to treat me. Staff check that the images are mine before they go into my record.
- **How long:** what does not go into my record is deleted after 7 days (168 hours) at the latest. What was used to treat me is kept as long as the law asks.
- **Free:** I need not agree. I can bring the images along on a CD instead. I am treated all the same.
- **Withdrawing:** I can withdraw at any time, with my number on this page or by telling staff. What is kept only for this is then deleted at once. What happened before stays lawful.

Controller: {controller}. Data protection officer: {officer}. I can complain to {authority}. Legal basis: consent (GDPR Art. 6 (1) a and Art. 9 (2) a).`,
    german: `Ich möchte, dass {organisation} meine Bilder von der Praxis oder Klinik holt, von der ich den Link habe.

- **Was:** Der Link, mein Geburtsdatum und meine Antworten gehen an diese Praxis oder Klinik. Sie sendet meine Bilder und Befunde hierher.
- **Wozu:** um mich zu behandeln. Das Personal prüft, ob es meine Bilder sind, bevor sie in meine Akte kommen.
- **Wie lange:** Was nicht in meine Akte kommt, wird spätestens nach 7 Tagen (168 Stunden) gelöscht. Was zu meiner Behandlung benutzt wurde, bleibt so lange, wie das Gesetz es verlangt.
- **Freiwillig:** Ich muss nicht einwilligen. Ich kann die Bilder auch auf einer CD mitbringen. Behandelt werde ich in jedem Fall.
- **Widerruf:** Ich kann jederzeit widerrufen, mit meiner Nummer auf dieser Seite oder beim Personal. Was nur dafür hier liegt, wird dann sofort gelöscht. Was vorher geschah, bleibt rechtmäßig.

Verantwortlich: {controller}. Datenschutzbeauftragt: {officer}. Beschweren kann ich mich bei: {authority}. Rechtsgrundlage: Einwilligung (DSGVO Art. 6 Abs. 1 a und Art. 9 Abs. 2 a).`,
  },
};
