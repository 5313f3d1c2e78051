// The words of one language: static/lang/NAME.json. What a file lacks is shown as the device says it.

// ends what the device says of an enrolment that a fault has spoilt
const AGAIN = ". Two more reps, please";
const NUMBER = /\d+(?:[.,]\d+)?/g;

export async function loadWords(language) {
  const answer = await fetch(`/static/lang/${language}.json`);
  if (!answer.ok) throw new Error(`no words for ${language}`);
  return new Words(await answer.json());
}

export class Words {
  constructor(table) {
    this.table = table;
  }

  ui(key, values = {}) {
    const text = this.table.ui[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  // {what, do} of a warning, from its kind and side; else from the device's own sentence
  fault(warning) {
    const table = this.table.faults;
    const found = table[`${warning.kind}.${warning.side}`] ?? table[warning.kind];
    if (found) return this.choose(found, warning);
    const [first, second] = warning.sentence.split(" - ");
    return second ? { what: first, do: capital(second) } : { what: "", do: first };
  }

  // a few faults have an advice that depends on the moment: taken from the sentence
  choose(found, warning) {
    if (!found.fromSentence) return found;
    return { what: found.what, do: this.sentence(warning.sentence) };
  }

  condition(condition) {
    return this.table.conditions[condition.kind] ?? condition.detail;
  }

  // a sentence of the device in this language; its numbers are carried over
  sentence(text) {
    if (text.endsWith(AGAIN)) return `${this.sentence(text.slice(0, -AGAIN.length))}. ${this.sentence(AGAIN.slice(2))}`;
    const numbers = text.match(NUMBER) ?? [];
    const pattern = text.replace(NUMBER, "{n}");
    const found = this.table.sentences[pattern];
    if (!found) return text;
    let next = 0;
    return found.replace(/\{n\}/g, () => numbers[next++] ?? "");
  }
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
