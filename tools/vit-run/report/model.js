// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model: its graph, the time of each op against the roofline, the plan of its memory,
// its parameters.
'use strict';

/// Between the host and a GPU.
const isTransfer = op => op.kernel === 'copy' && (op.name === 'upload' || op.name === 'download');

/// The commands of the schedule with all that is known of each.
function readCommands(model) {
  const kernels = new Map(model.schedule.kernels.map(kernel => [kernel.name, kernel]));
  const commands = model.schedule.commands.filter(command => command.kind !== 'Barrier');
  const ops = model.bench.ops.filter(op => !isTransfer(op));
  return commands.map((command, index) => {
    const op = ops[index];
    const kernel = kernels.get(command.kernel);
    const result = {index, name: command.name || command.kind, kernel: command.kernel || command.kind,
      family: kernel ? kernel.family : command.kind.toLowerCase(), tile: kernel ? kernel.tile : '',
      ms: op.median_ms, gflop: op.gflop, bytes: op.bytes, rate: op.gflop_per_s,
      reads: model.plan ? model.plan.reads[index] : [], writes: model.plan ? model.plan.writes[index] : [],
      passes: model.passes ? model.passes.commands[index] : null};
    result.bound = boundOf(model, [result], op.estimated_ms);
    return result;
  });
}

/// The milliseconds that the roofline allows for these commands; 0 if it is not known.
function boundOf(model, commands, estimated) {
  if (estimated)
    return estimated;
  const {peak_gflop_per_s: peak, memory_gb_per_s: bandwidth} = model.bench;
  const gflop = d3.sum(commands, command => command.gflop), bytes = d3.sum(commands, command => command.bytes);
  return Math.max(peak > 0 ? gflop / peak : 0, bandwidth > 0 ? bytes / (bandwidth * 1e9) : 0) * 1e3;
}

/// The name of an op taken apart at the number of its layer: "blocks", 3, "attn.qkv". What a
/// layer reads of parameters is called "fc1.weight.3".
function splitName(name) {
  const parts = name.split('.');
  const at = parts.findIndex(part => /^\d+$/.test(part));
  return at < 0 ? {layer: null, before: '', after: name}
      : {layer: Number(parts[at]), before: parts.slice(0, at).join('.'), after: parts.slice(at + 1).join('.')};
}

/// The commands in blocks: a layer each, and what is between layers. Neighbouring layers
/// that run the same kernels are one block with `copies`.
function foldLayers(commands) {
  const blocks = [];
  for (const command of commands) {
    const {layer} = splitName(command.name);
    const last = blocks[blocks.length - 1];
    if (last && last.layer === layer)
      last.commands.push(command);
    else
      blocks.push({layer, commands: [command]});
  }
  const lookOf = block => JSON.stringify(block.commands.map(
      ({name, kernel}) => [splitName(name).before, splitName(name).after, kernel]));
  const folded = [];
  for (const block of blocks) {
    const last = folded[folded.length - 1];
    if (last && block.layer !== null && last.look === lookOf(block))
      last.copies.push(block);
    else
      folded.push({before: mostCommon(block.commands), layer: block.layer, look: lookOf(block), copies: [block]});
  }
  return folded;
}

/// What most names of a layer begin with.
function mostCommon(commands) {
  const counts = d3.nest().key(command => splitName(command.name).before).rollup(list => list.length).entries(commands);
  return counts.sort((a, b) => b.value - a.value)[0].key;
}

/// The command `position` of all copies of a block, as one.
function foldCommand(model, block, position) {
  const all = block.copies.map(copy => copy.commands[position]);
  const first = all[0], sum = key => d3.sum(all, command => command[key]);
  const {before, after} = splitName(first.name);
  const label = block.layer === null ? first.name : before === block.before && after ? after : [before, after].filter(Boolean).join('.');
  return {...first, all, count: all.length, ms: sum('ms'), gflop: sum('gflop'), bytes: sum('bytes'), bound: sum('bound'),
    label, title: [titleOf(block), label].filter(Boolean).join(' ')};
}

function titleOf(block) {
  if (block.layer === null)
    return '';
  const layers = block.copies.map(copy => copy.layer);
  const first = layers[0], last = layers[layers.length - 1];
  return block.before + '.' + (first === last ? first : first + '\u2013' + last);
}

/// The ops of the graph that a command computes, by the text after the last pass on
/// the graph: "linear + gelu".
function fusedOps(model, command) {
  if (!command.passes)
    return '';
  const convert = model.passes.passes.findIndex(name => name.endsWith('vit-convert-to-kernels'));
  const text = convert > 0 ? model.passes.texts[command.passes.texts[convert - 1]] : undefined;
  if (!text)
    return '';
  const ops = [...text.matchAll(/^(?:%[^=\n]*= )?vit\.(\w+)/gm)].map(match => match[1]);
  return ops.filter(op => op !== 'read' && op !== 'output').join(' + ');
}

/// The same, or the first of the launches before it that compute the same ops together.
function describeFused(model, row, before) {
  const together = row.passes && before.find(
      other => JSON.stringify(other.passes.names) === JSON.stringify(row.passes.names));
  return together ? 'with #' + together.index : fusedOps(model, row);
}

/// The commands whose results a command reads, as "#3, #7".
function sourcesOf(commands, command) {
  const makers = new Set();
  for (const buffer of command.reads)
    for (const other of commands)
      if (other.writes.includes(buffer))
        makers.add(other.index);
  return [...makers].sort((a, b) => a - b);
}

/// "tensor<?x65x64xf32, #kernel.blocked<rows = 6>>" as "?x65x64 f32 blocked".
function typeText(type) {
  return type.replace(/tensor<((?:[\d?]+x)*)(\w+)(?:, #kernel\.(\w+)<[^>]*>)?>/g, (_, dims, of, layout) =>
      dims.replace(/x$/, ' ') + of + (layout ? ' ' + layout : ''));
}

function graphTable(model, commands, rows) {
  const near = (command, maker) => maker === command.index - 1;
  return table([
    ['#', command => command.index, true],
    ['op', command => element('button', {type: 'button', onclick: () => showOp(model, command)}, command.label)],
    ['ops of the graph in it', command => command.fused || ''],
    ['kernel', command => command.kernel, false, true],
    ['tile', command => command.tile, false, true],
    ['result', command => command.passes ? typeText(command.passes.result) : '', false, true],
    ['reads', command => sourcesOf(commands, command).map(
        maker => '#' + maker + (near(command, maker) ? '' : ' \u21b7')).join(', '), false, true],
    ['time', command => timeText(command.ms / command.count), true],
  ], rows, {class: 'graph'});
}

function showGraph(parent, model, commands, blocks) {
  const rowsOf = blocks.map(block => {
    const rows = block.copies[0].commands.map((_, position) => foldCommand(model, block, position));
    rows.forEach((row, position) => { row.fused = describeFused(model, row, rows.slice(0, position)); });
    return rows;
  });
  const about = 'A box is one launch, in the order of the run: the op and its time, then the ops of the graph in it, its kernel and its result, where ? is the ' +
      'batch; the bar is its time. Layers that run the same kernels are one frame, with their mean times. Lines at the right lead to launches that read a result ' +
      'later, such as residuals. ' + (model.passes ? 'Press a box to read its text before and after each pass.'
          : 'The texts of the passes are missing: give --passes DIR for a module, or a text or folder.');
  const rows = rowsOf.flat();
  const result = figure(parent, 'Graph', about, (svg, width) => drawGraph(svg, width, model, commands, blocks, rows));
  result.classList.add(rows.length > 40 ? 'scrolled' : 'long');
  const tables = element('details', {}, element('summary', {}, 'The graph as a table'),
      element('p', {}, 'Each row is one launch; \u21b7 marks a result that is not of the launch before.'));
  blocks.forEach((block, at) => tables.append(...blockTable(model, commands, block, rowsOf[at])));
  result.append(tables);
}

function blockTable(model, commands, block, rows) {
  const content = graphTable(model, commands, rows);
  if (block.layer === null)
    return [content];
  const total = d3.sum(rows, row => row.ms), count = block.copies.length;
  return [element('details', {class: 'layer', open: ''},
      element('summary', {}, element('b', {}, titleOf(block)), count > 1 ? ' (' + count + ' alike)' : '',
          ': ' + rows.length + ' launches' + (count > 1 ? ' each' : '') + ', ' + timeText(total) +
          (count > 1 ? ' together' : '')), content)];
}

/// Text lines as nodes; those that `other` does not have are marked.
function comparedLines(text, other) {
  const known = new Set(other.split('\n').map(line => line.replace(/%[\w#]+/g, '%')));
  return text.split('\n').map(line => {
    const isNew = !known.has(line.replace(/%[\w#]+/g, '%')) && line.trim() !== '';
    return element('span', isNew ? {class: 'changed'} : {}, line + '\n');
  });
}

/// The dialog with the texts of an op before and after each pass.
function showOp(model, command) {
  const dialog = element('dialog', {'aria-label': 'Passes of ' + command.name});
  const close = element('button', {type: 'button', onclick: () => dialog.close()}, 'Close');
  const facts = 'kernel ' + command.kernel + (command.tile ? ', tile: ' + command.tile : '') +
      (command.passes && command.passes.names.length > 1 ? '; made of ' + command.passes.names.join(', ') : '');
  dialog.append(element('div', {class: 'top'}, element('h3', {}, command.name), close), element('p', {}, facts));
  if (command.passes)
    addPasses(dialog, model, command);
  else
    dialog.append(element('p', {}, 'This page was written without the texts of the passes.'));
  document.body.append(dialog);
  dialog.addEventListener('close', () => dialog.remove());
  dialog.showModal();
}

function addPasses(dialog, model, command) {
  const {passes, texts, kernels} = model.passes;
  const textAfter = index => texts[command.passes.texts[index]];
  const whyNone = index => command.passes.texts[index] === -2
      ? 'Left out, to keep the page small. Layers of the same kind come first.' : 'Nothing of this op is there.';
  const isChanged = index => command.passes.texts[index] !== command.passes.texts[index - 1];
  const select = element('select', {'aria-label': 'Pass'});
  for (let index = 1; index < passes.length; ++index)
    select.append(element('option', {value: index}, passes[index] + (isChanged(index) ? ' (changes it)' : '')));
  const sides = element('div', {class: 'sides'});
  const show = () => {
    const index = Number(select.value);
    const before = textAfter(index - 1), after = textAfter(index);
    const side = (title, at, text, other) => element('div', {}, element('h4', {}, title),
        text === undefined ? element('p', {}, whyNone(at)) : element('pre', {tabindex: 0}, ...comparedLines(text, other || '')));
    sides.replaceChildren(side('before, after ' + passes[index - 1], index - 1, before, after),
        side('after ' + passes[index], index, after, before));
  };
  select.addEventListener('change', show);
  const first = passes.findIndex((name, index) => index > 0 && isChanged(index));
  select.value = String(Math.max(1, first));
  dialog.append(element('label', {}, 'Pass ', select), sides);
  show();
  const code = texts[kernels[command.kernel]];
  if (code !== undefined)
    dialog.append(element('details', {}, element('summary', {}, 'The code of ' + command.kernel + ', before LLVM'),
        element('pre', {tabindex: 0}, code)));
}

/// What is drawn per op: one row for all layers of a block.
function foldedRows(model, blocks) {
  return blocks.flatMap(block => block.copies[0].commands.map((_, position) => foldCommand(model, block, position)));
}

function describeRow(row, total) {
  const parts = [row.title + (row.count > 1 ? ' (' + row.count + ' launches)' : ''),
    timeText(row.ms) + ', ' + percentText(row.ms / total) + ' of the time'];
  if (row.gflop > 0)
    parts.push(numberText(row.gflop) + ' GFLOP at ' + numberText(row.gflop / row.ms * 1e3) + ' GFLOP/s');
  parts.push(bytesText(row.bytes) + ' of arguments at ' + numberText(row.bytes / row.ms * 1e-6) + ' GB/s');
  if (row.bound > 0)
    parts.push('the roofline allows ' + timeText(row.bound) + ': ' + numberText(row.ms / row.bound) + ' times that');
  return parts.join('; ');
}

function showTimes(parent, model, rows) {
  const total = d3.sum(rows, row => row.ms);
  const columns = [['op', row => row.title], ['launches', row => row.count, true], ['ms', row => numberText(row.ms), true],
    ['share', row => percentText(row.ms / total), true], ['roofline ms', row => row.bound > 0 ? numberText(row.bound) : '', true],
    ['GFLOP', row => numberText(row.gflop), true], ['bytes', row => countText(row.bytes), true]];
  const about = 'Bars are measured times of all layers of a block together; the vertical stroke is what the roofline allows: the ' +
      'larger of FLOP at the peak and bytes of arguments at the bandwidth of the memory. Data that stays in caches can be faster than that.';
  figure(parent, 'Time per op', about, (svg, width) => {
    const left = Math.min(330, width * 0.45), height = 20;
    svg.attr('height', rows.length * height + 24);
    const x = d3.scaleLinear([0, d3.max(rows, row => Math.max(row.ms, row.bound)) || 1], [left, width - 60]);
    svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${rows.length * height})`)
        .call(d3.axisBottom(x).ticks(Math.max(2, width / 160)).tickFormat(timeText));
    return rows.map((row, index) => {
      const y = index * height;
      svg.append('text').attr('x', left - 6).attr('y', y + 14).attr('text-anchor', 'end').text(fitted(row.title, left - 8));
      const bar = svg.append('rect').attr('class', 'mark').attr('x', left).attr('y', y + 2)
          .attr('width', Math.max(1, x(row.ms) - left)).attr('height', height - 4);
      if (row.bound > 0)
        svg.append('line').attr('class', 'bound').attr('x1', x(row.bound)).attr('x2', x(row.bound))
            .attr('y1', y).attr('y2', y + height);
      svg.append('text').attr('x', x(Math.max(row.ms, row.bound)) + 4).attr('y', y + 14).text(percentText(row.ms / total));
      return {node: bar.node(), text: describeRow(row, total), activate: () => showOp(model, row)};
    });
  }, columns, rows);
}

const shapes = [d3.symbolCircle, d3.symbolSquare, d3.symbolTriangle, d3.symbolDiamond, d3.symbolStar, d3.symbolCross, d3.symbolWye];

function showRoofline(parent, model, rows) {
  const points = rows.filter(row => row.gflop > 0 && row.bytes > 0 && row.ms > 0).map(row => (
      {...row, x: row.gflop * 1e9 / row.bytes, y: row.gflop / row.ms * 1e3}));
  const {peak_gflop_per_s: peak, memory_gb_per_s: bandwidth} = model.bench;
  const about = 'FLOP per byte of arguments against GFLOP/s, both logarithmic' +
      (peak > 0 ? '; the level line is the peak of ' + numberText(peak) + ' GFLOP/s in ' + model.bench.precision : '') +
      (bandwidth > 0 ? '; the sloped line is the memory at ' + numberText(bandwidth) + ' GB/s' : '') +
      '. Only products count as FLOP, so other ops are not here.';
  const families = [...new Set(points.map(point => point.family))];
  const total = d3.sum(rows, row => row.ms);
  const columns = [['op', point => point.title], ['kind', point => point.family], ['FLOP/byte', point => numberText(point.x), true],
    ['GFLOP/s', point => numberText(point.y), true]];
  if (points.length === 0) {
    parent.append(element('h3', {}, 'Roofline'), element('p', {}, 'This code has no products to place on a roofline.'));
    return;
  }
  figure(parent, 'Roofline', about, (svg, width) => {
    const height = 360, left = 60, bottom = 40;
    svg.attr('height', height);
    const ridge = peak > 0 && bandwidth > 0 ? peak / bandwidth : d3.median(points, point => point.x);
    const x = d3.scaleLog([Math.min(d3.min(points, point => point.x), ridge) / 2, Math.max(d3.max(points, point => point.x), ridge) * 2],
        [left, width - 20]);
    const y = d3.scaleLog([d3.min(points, point => point.y) / 2, Math.max(d3.max(points, point => point.y), peak) * 1.5],
        [height - bottom, 24]);
    svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${height - bottom})`).call(d3.axisBottom(x).ticks(5, '~g'));
    svg.append('g').attr('class', 'axis').attr('transform', `translate(${left},0)`).call(d3.axisLeft(y).ticks(5, '~g'));
    svg.append('text').attr('x', (left + width) / 2).attr('y', height - 6).attr('text-anchor', 'middle').text('FLOP per byte');
    svg.append('text').attr('x', 4).attr('y', 14).text('GFLOP/s');
    drawRoof(svg, x, y, peak, bandwidth);
    families.forEach((family, index) => {
      const place = svg.append('g').attr('transform', `translate(${left + 14 + index * 104},10)`);
      place.append('path').attr('d', d3.symbol().type(shapes[index % shapes.length]).size(60)()).attr('class', 'mark');
      place.append('text').attr('x', 10).attr('y', 4).text(family);
    });
    return points.map(point => ({
      node: svg.append('path').attr('class', 'mark').attr('transform', `translate(${x(point.x)},${y(point.y)})`)
          .attr('d', d3.symbol().type(shapes[families.indexOf(point.family) % shapes.length]).size(90)()).node(),
      text: describeRow(point, total), activate: () => showOp(model, point)}));
  }, columns, points);
}

/// The lines of the roofline within the ranges of the axes.
function drawRoof(svg, x, y, peak, bandwidth) {
  const [from, to] = x.domain(), least = y.domain()[0];
  const ridge = bandwidth > 0 && peak > 0 ? peak / bandwidth : from;
  if (peak > 0)
    svg.append('line').attr('class', 'bound').attr('x1', x(Math.max(from, ridge))).attr('x2', x(to)).attr('y1', y(peak)).attr('y2', y(peak));
  if (bandwidth > 0) {
    const begin = Math.max(from, least / bandwidth), end = peak > 0 ? Math.min(to, ridge) : to;
    if (begin < end)
      svg.append('line').attr('class', 'bound').attr('x1', x(begin)).attr('y1', y(begin * bandwidth))
          .attr('x2', x(end)).attr('y2', y(end * bandwidth));
  }
}

/// About six multiples of a power of two.
function byteTicks(most) {
  return d3.range(0, most + 1, 2 ** Math.max(0, Math.round(Math.log2(most / 6))));
}

function showPlan(parent, model, commands) {
  const {buffers, slot_bytes: bytes} = model.plan || {buffers: []};
  if (buffers.length === 0) {
    parent.append(element('h3', {}, 'Memory over time'), element('p', {}, model.plan ? 'This code needs no workspace for values.'
        : 'The module does not say how long values live; compile it again.'));
    return;
  }
  const live = commands.map((_, time) => d3.sum(
      buffers.filter(buffer => buffer.begin <= time && time <= buffer.end), buffer => buffer.bytes));
  const peak = d3.max(live), at = live.indexOf(peak);
  const about = 'Values in the workspace at batch ' + model.bench.batch + ': from the launch that writes a value to the last that reads it, at its ' +
      'offset. Slots take ' + bytesText(bytes) + '; the most that lives at once is ' + bytesText(peak) + ', at launch ' + at + ' (' +
      commands[at].name + '). With outputs and scratch a run needs ' + bytesText(model.bench.workspace_bytes) + '.';
  const columns = [['written by', buffer => '#' + buffer.begin + ' ' + commands[buffer.begin].name], ['last read by', buffer => '#' + buffer.end, true],
    ['slot', buffer => buffer.slot, true], ['offset', buffer => countText(buffer.offset), true], ['bytes', buffer => countText(buffer.bytes), true]];
  figure(parent, 'Memory over time', about, (svg, width) => {
    const height = 340, left = 74, bottom = 40;
    svg.attr('height', height);
    const x = d3.scaleLinear([0, commands.length], [left, width - 10]);
    const y = d3.scaleLinear([0, bytes], [height - bottom, 8]);
    svg.append('g').attr('class', 'axis').attr('transform', `translate(0,${height - bottom})`).call(d3.axisBottom(x).ticks(width / 80));
    svg.append('g').attr('class', 'axis').attr('transform', `translate(${left},0)`).call(d3.axisLeft(y).tickValues(byteTicks(bytes)).tickFormat(bytesText));
    svg.append('text').attr('x', (left + width) / 2).attr('y', height - 6).attr('text-anchor', 'middle').text('launch');
    return buffers.map(buffer => {
      const box = {x: x(buffer.begin), y: y(buffer.offset + buffer.bytes), width: x(buffer.end + 1) - x(buffer.begin),
        height: y(buffer.offset) - y(buffer.offset + buffer.bytes)};
      const node = svg.append('rect').attr('class', 'mark').attr('x', box.x).attr('y', box.y)
          .attr('width', Math.max(1, box.width)).attr('height', Math.max(1, box.height)).node();
      return {node, activate: () => showOp(model, commands[buffer.begin]),
        text: commands[buffer.begin].name + ' (' + commands[buffer.begin].kernel + '): ' + bytesText(buffer.bytes) + ' at offset ' +
            countText(buffer.offset) + ' in slot ' + buffer.slot + ', from launch ' + buffer.begin + ' to ' + buffer.end};
    });
  }, columns, buffers);
}

/// Parameters by the op that has them, with one row for all layers.
function groupParameters(model) {
  const groups = new Map();
  for (const parameter of model.parameters) {
    const name = (parameter.stored_name || parameter.name).replace(/\.\d+\./, '.{}.').replace(/\.(weight|bias)$/, '');
    const group = groups.get(name) || {name, tensors: 0, elements: 0};
    group.tensors += 1;
    group.elements += parameter.dims.reduce((product, size) => product * size, 1);
    groups.set(name, group);
  }
  return [...groups.values()].sort((a, b) => b.elements - a.elements);
}

function showParameters(parent, model) {
  const groups = groupParameters(model), total = d3.sum(groups, group => group.elements);
  const forms = d3.nest().key(form => form.element_type).rollup(list => d3.sum(list, form => form.bytes)).entries(model.derived);
  const about = countText(total) + ' numbers in ' + model.parameters.length + ' parameters; layers count together. Kernels read them as ' +
      (forms.map(form => bytesText(form.value) + ' in ' + form.key).join(', ') || 'they are stored') + '.';
  if (groups.length === 0) {
    parent.append(element('h3', {}, 'Parameters'), element('p', {}, 'This model has no parameters.'));
    return;
  }
  const columns = [['of', group => group.name], ['tensors', group => group.tensors, true], ['numbers', group => countText(group.elements), true],
    ['share', group => percentText(group.elements / total), true]];
  figure(parent, 'Parameters', about, (svg, width) => {
    const shown = groups.slice(0, 24), left = Math.min(330, width * 0.45), height = 20;
    svg.attr('height', shown.length * height + 4);
    const x = d3.scaleLinear([0, shown[0].elements], [left, width - 60]);
    return shown.map((group, index) => {
      const y = index * height;
      svg.append('text').attr('x', left - 6).attr('y', y + 14).attr('text-anchor', 'end').text(fitted(group.name, left - 8));
      svg.append('text').attr('x', x(group.elements) + 4).attr('y', y + 14).text(percentText(group.elements / total));
      return {node: svg.append('rect').attr('class', 'mark').attr('x', left).attr('y', y + 2).attr('height', height - 4)
          .attr('width', Math.max(1, x(group.elements) - left)).node(),
        text: group.name + ': ' + countText(group.elements) + ' numbers in ' + group.tensors + ' tensors, ' + percentText(group.elements / total)};
    });
  }, columns, groups);
}

function showModel(model) {
  const parent = section('model', 'Model', 'Model ' + model.file);
  const {bench, schedule} = model, commands = readCommands(model), blocks = foldLayers(commands);
  const shape = list => list.map(one => (one.name + ' ' + one.dims.map(size => size < 0 ? 'batch' : size).join('x')).trim()).join(', ');
  const transfers = bench.ops.filter(isTransfer);
  const elements = d3.sum(model.parameters, parameter => parameter.dims.reduce((product, size) => product * size, 1));
  parent.append(facts([
    ['Input', shape(model.inputs)], ['Output', shape(model.outputs)], ['Parameters', countText(elements)],
    ['Work', numberText(bench.gflop) + ' GFLOP at batch ' + bench.batch],
    ['Time', timeText(bench.median_ms) + ' (median)'], ['Throughput', numberText(bench.images_per_s) + ' images/s'],
    ['Rate', numberText(bench.gflop_per_s) + ' GFLOP/s' +
        (bench.peak_gflop_per_s > 0 ? ', ' + percentText(bench.gflop_per_s / bench.peak_gflop_per_s) + ' of the peak' : '')],
    ['Ran on', bench.device + ' ' + bench.device_name + ', ' + bench.threads + (bench.threads === 1 ? ' thread' : ' threads')],
    ['Code', bench.level + ' in ' + bench.precision +
        (schedule.kept.length > 0 ? '; ' + schedule.kept.map(one => one.name + ' in ' + one.precision).join(', ') : '')],
    ['Workspace', bytesText(bench.workspace_bytes)],
  ].concat(transfers.length > 0 ? [['Upload and download', timeText(d3.sum(transfers, op => op.median_ms))]] : [])));
  showGraph(parent, model, commands, blocks);
  const rows = foldedRows(model, blocks);
  showTimes(parent, model, rows);
  showRoofline(parent, model, rows);
  showPlan(parent, model, commands);
  showParameters(parent, model);
}
