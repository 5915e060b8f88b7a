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
};
