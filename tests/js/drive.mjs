// Reads {machine, histories: [{id, steps: [{event, answers}]}]} and says in which state XState is after each step.
import { readFileSync } from "node:fs";
import { createMachine, getInitialSnapshot, getNextSnapshot } from "xstate";

const { machine: definition, histories } = JSON.parse(readFileSync(0, "utf8"));
// A guard holds where each answer is the one that the edge wants; a guard that nobody looked at holds nowhere.
const answered = ({ event }, { wants }) =>
  Object.entries(wants).every(([name, wanted]) =>
    Array.isArray(wanted) ? wanted.includes(event.answers[name]) : event.answers[name] === wanted,
  );
const machine = createMachine(definition, { guards: { answered } });
const found = histories.map(({ id, steps }) => {
  let snapshot = getInitialSnapshot(machine);
  return { id, states: steps.map(({ event, answers }) => (snapshot = getNextSnapshot(machine, snapshot, { type: event, answers })).value) };
});
process.stdout.write(JSON.stringify(found));
