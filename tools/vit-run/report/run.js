// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Training runs: their curves, options and epochs, two beside each other.
'use strict';

const quantities = [
  {key: 'loss', test: 'test_loss', title: 'Loss', text: numberText},
  {key: 'accuracy', test: 'test_accuracy', title: 'Accuracy', text: percentText},
  {key: 'learning_rate', title: 'Learning rate', text: numberText},
  {key: 'images_per_second', title: 'Images per second', text: numberText},
];

const isNumber = value => typeof value === 'number' && Number.isFinite(value);

/// The points [step, value] of a column; steps without a value are left out.
function pointsOf(run, key) {
  const steps = run.steps.step, values = run.steps[key];
  return d3.range(steps.length).filter(i => isNumber(steps[i]) && isNumber(values[i])).map(i => [steps[i], values[i]]);
}

const testPoints = (run, key) => !key ? [] :
    run.epochs.filter(epoch => isNumber(epoch.step) && isNumber(epoch[key])).map(epoch => [epoch.step, epoch[key]]);

/// Means over groups of neighbours, at most 120.
function meansOf(points) {
  const groups = Math.min(120, points.length);
  return d3.range(groups).map(g => {
    const group = points.slice(Math.floor(g * points.length / groups), Math.floor((g + 1) * points.length / groups));
    return [d3.mean(group, point => point[0]), d3.mean(group, point => point[1])];
  });
}

/// The index of the step of `run` that is nearest to `step`.
function nearest(run, step) {
  const steps = run.steps.step;
  const after = d3.bisectLeft(steps, step);
  return after > 0 && (after === steps.length || step - steps[after - 1] < steps[after] - step) ? after - 1 : after;
}

function describeStep(runs, quantity, step) {
  return 'Step ' + step + ': ' + runs.map((run, index) => {
    const at = nearest(run, step), value = at < run.steps.step.length ? run.steps[quantity.key][at] : null;
    const tests = testPoints(run, quantity.test).filter(point => point[0] <= step);
    return (runs.length > 1 ? 'run ' + (index + 1) + ' ' : '') + quantity.title.toLowerCase() + ' ' +
        (isNumber(value) ? quantity.text(value) : 'not known') +
        (tests.length > 0 ? ' (test ' + quantity.text(tests[tests.length - 1][1]) + ' at step ' + tests[tests.length - 1][0] + ')' : '');
  }).join('; ');
}

function drawAxes(svg, x, y, width, height, left, bottom, quantity) {
  svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${height - bottom})`)
      .call(d3.axisBottom(x).ticks(Math.max(2, width / 90)));
  svg.append('g').attr('class', 'axis').attr('transform', `translate(${left},0)`)
      .call(d3.axisLeft(y).ticks(5).tickFormat(quantity.text));
  svg.append('text').attr('x', (left + width) / 2).attr('y', height - 4).attr('text-anchor', 'middle').text('step');
}

function drawLegend(svg, runs, left, hasTests) {
  runs.forEach((_, index) => {
    const place = svg.append('g').attr('transform', `translate(${left + index * 150},10)`);
    place.append('line').attr('class', 'curve run' + index).attr('x2', 26);
    place.append('text').attr('x', 30).attr('y', 4).text(runs.length > 1 ? 'run ' + (index + 1) : 'train');
    if (hasTests)
      place.append('circle').attr('class', 'test' + index).attr('cx', 80).attr('r', 4);
    if (hasTests)
      place.append('text').attr('x', 88).attr('y', 4).text('test');
  });
}

function showCurve(parent, runs, quantity) {
  const curves = runs.map(run => ({points: pointsOf(run, quantity.key), tests: testPoints(run, quantity.test)}));
  const all = curves.flatMap(curve => curve.points.concat(curve.tests));
  if (all.length === 0) {
    parent.append(element('div', {}, element('h3', {}, quantity.title), element('p', {}, 'The log has no values of it.')));
    return;
  }
  const last = d3.max(all, point => point[0]), hasTests = curves.some(curve => curve.tests.length > 0);
  const steps = [...new Set(runs.flatMap(run => run.steps.step.filter(isNumber)))].sort((a, b) => a - b);
  const about = 'Single steps are pale, the line is the mean of neighbouring steps' + (hasTests ? ', points are test data' : '') + '.';
  figure(parent, quantity.title, about, (svg, width) => {
    const height = 260, left = 64, bottom = 34;
    svg.attr('height', height);
    const x = d3.scaleLinear([0, last], [left, width - 14]);
    const y = d3.scaleLinear(d3.extent(all, point => point[1]), [height - bottom, 26]).nice();
    drawAxes(svg, x, y, width, height, left, bottom, quantity);
    drawLegend(svg, runs, left, hasTests);
    const line = d3.line().x(point => x(point[0])).y(point => y(point[1]));
    curves.forEach((curve, index) => {
      const means = meansOf(curve.points);
      if (means.length < curve.points.length)
        svg.append('path').attr('class', 'raw run' + index).attr('d', line(curve.points));
      svg.append('path').attr('class', 'curve run' + index).attr('d', line(means));
      for (const point of means.length === 1 ? means.concat(curve.tests) : curve.tests)
        svg.append('circle').attr('class', 'test' + index).attr('cx', x(point[0])).attr('cy', y(point[1])).attr('r', 4);
    });
    return hoverSteps(svg, steps, x, height - bottom, step => describeStep(runs, quantity, step));
  });
}

/// Marks without shapes of their own: the cursor stands at the step that is chosen. The
/// pointer chooses the nearest.
function hoverSteps(svg, steps, x, bottom, textOf) {
  const cursor = svg.append('line').attr('class', 'cursor').attr('y1', 20).attr('y2', bottom).attr('visibility', 'hidden');
  const show = step => cursor.attr('visibility', 'visible').attr('x1', x(step)).attr('x2', x(step));
  svg.node().addEventListener('pointermove', event => {
    const wanted = x.invert(event.clientX - svg.node().getBoundingClientRect().left);
    const after = Math.min(steps.length - 1, d3.bisectLeft(steps, wanted));
    svg.node().dispatchEvent(new CustomEvent('chosen', {detail:
        after > 0 && wanted - steps[after - 1] < steps[after] - wanted ? after - 1 : after}));
  });
  return steps.map(step => ({node: null, get text() { return textOf(step); }, show: () => show(step)}));
}

const shownValue = value => value === null || value === undefined ? '' :
    typeof value === 'object' ? JSON.stringify(value) : String(value);

function showOptions(parent, runs) {
  const keys = [...new Set(runs.flatMap(run => Object.keys(run.start)))].filter(key => key !== 'kind');
  const shown = (run, key) => key === 'time' && isNumber(run.start.time) && Math.abs(run.start.time) < 1e11
      ? new Date(run.start.time * 1000).toISOString() : shownValue(run.start[key]);
  const columns = [['option', key => key]].concat(runs.map((run, index) =>
      [runs.length > 1 ? 'run ' + (index + 1) : 'value', key => shown(run, key)]));
  if (runs.length > 1) {
    const differ = keys.filter(key => shownValue(runs[0].start[key]) !== shownValue(runs[1].start[key]));
    parent.append(element('h3', {}, 'In what the runs differ'), table(columns, differ));
  }
  parent.append(element('details', {}, element('summary', {}, 'All options'), table(columns, keys)));
}

function showEpochs(parent, run, title) {
  const value = (key, text) => epoch => isNumber(epoch[key]) ? text(epoch[key]) : '';
  const columns = [['epoch', value('epoch', String), true], ['step', value('step', String), true],
    ['train loss', value('train_loss', numberText), true], ['train accuracy', value('train_accuracy', percentText), true],
    ['test loss', value('test_loss', numberText), true], ['test accuracy', value('test_accuracy', percentText), true],
    ['images/s', value('images_per_second', numberText), true, true]];
  parent.append(element('details', {}, element('summary', {}, title + ': ' + run.epochs.length + ' epochs'), table(columns, run.epochs)));
  if (run.notes.length > 0)
    parent.append(element('details', {}, element('summary', {}, title + ': ' + run.notes.length + ' events'), table([
      ['event', note => shownValue(note.kind)], ['step', note => shownValue(note.step), true], ['text', note => shownValue(note.text)]], run.notes)));
}

/// The epoch with the best test accuracy, or the last one.
function bestEpoch(run) {
  const tested = run.epochs.filter(epoch => isNumber(epoch.test_accuracy));
  return tested.length > 0 ? tested.reduce((best, epoch) => epoch.test_accuracy > best.test_accuracy ? epoch : best)
      : run.epochs[run.epochs.length - 1];
}

function runFacts(run) {
  const best = bestEpoch(run), result = [['Steps', countText(run.step_count)], ['Epochs', String(run.epochs.length)]];
  if (best && isNumber(best.test_accuracy))
    result.push(['Best test accuracy', percentText(best.test_accuracy) + ' in epoch ' + best.epoch]);
  if (best && isNumber(best.train_loss))
    result.push(['Train loss then', numberText(best.train_loss)]);
  const speeds = run.epochs.filter(epoch => isNumber(epoch.images_per_second));
  if (speeds.length > 0)
    result.push(['Throughput', numberText(d3.median(speeds, epoch => epoch.images_per_second)) + ' images/s']);
  if (run.damaged > 0)
    result.push(['Lines that cannot be read', String(run.damaged)]);
  return result;
}

function showRuns(runs) {
  const parent = section('runs', runs.length > 1 ? 'Runs' : 'Run', runs.length > 1 ? 'Two training runs' : 'Training run ' + runs[0].folder);
  const beside = element('div', {class: 'beside'});
  runs.forEach((run, index) => beside.append(element('div', {},
      runs.length > 1 ? element('h3', {}, 'Run ' + (index + 1) + ': ' + run.folder) : '', facts(runFacts(run)))));
  parent.append(beside);
  const shown = runs.filter(run => run.steps.step.length < run.step_count);
  if (shown.length > 0)
    parent.append(element('p', {class: 'weak'}, 'Of ' + shown.map(run => countText(run.step_count)).join(' and ') + ' steps the curves have ' +
        shown.map(run => countText(run.steps.step.length)).join(' and ') + ': of neighbours those with the least and the largest loss.'));
  const curves = element('div', {class: 'beside'});
  parent.append(curves);
  for (const quantity of quantities)
    showCurve(curves, runs, quantity);
  showOptions(parent, runs);
  runs.forEach((run, index) => showEpochs(parent, run, runs.length > 1 ? 'Run ' + (index + 1) : 'Run'));
}
