// Steps that only serve another one (tools, models, memories) hang below it. Pure functions, so that tests can run them.
export const STEP_WIDTH = 208;
export const STEP_HEIGHT = 52;
export const TOOL_GAP_X = 16;
export const TOOL_GAP_Y = 44;

// Boxes that hold a step with all that hangs below it: id → {width, height, tools: [ids], x of the step in its box}.
// A step serves the first one it is linked to; one that also takes part in the main way stays there.
export function boxesOf(nodes, edges) {
  const inMain = new Set(edges.filter((edge) => edge.kind !== "tool").flatMap((edge) => [edge.source, edge.target]));
  const served = new Map();
  for (const { source, target, kind } of edges) {
    if (kind === "tool" && source !== target && !inMain.has(source) && !served.has(source)) served.set(source, target);
  }
  // Links in a circle have no top to hang from: those steps stand by themselves.
  const hangs = (id) => {
    const seen = new Set();
    for (let step = id; served.has(step); step = served.get(step)) {
      if (seen.has(step)) return false;
      seen.add(step);
    }
    return true;
  };
  const tools = new Map(nodes.map((node) => [node.id, []]));
  const tops = [];
  for (const { id } of nodes) {
    if (served.has(id) && tools.has(served.get(id)) && hangs(id)) tools.get(served.get(id)).push(id);
    else tops.push(id);
  }
  const boxes = new Map();
  const measure = (id) => {
    const below = tools.get(id).map(measure);
    const wide = below.reduce((sum, box) => sum + box.width, 0) + TOOL_GAP_X * Math.max(0, below.length - 1);
    const tall = below.reduce((most, box) => Math.max(most, box.height), 0);
    const width = Math.max(STEP_WIDTH, wide);
    const box = { width, height: STEP_HEIGHT + (below.length ? TOOL_GAP_Y + tall : 0), tools: tools.get(id), left: (width - STEP_WIDTH) / 2 };
    boxes.set(id, box);
    return box;
  };
  tops.forEach(measure);
  return { tops, boxes };
}

// Places of all steps once the boxes have theirs (`corners`: id of a top → {x, y}).
export function placesIn({ tops, boxes }, corners) {
  const places = new Map();
  const put = (id, x, y) => {
    const box = boxes.get(id);
    places.set(id, { x: x + box.left, y });
    const wide = box.tools.reduce((sum, tool) => sum + boxes.get(tool).width, 0) + TOOL_GAP_X * Math.max(0, box.tools.length - 1);
    let next = x + (box.width - wide) / 2;
    for (const tool of box.tools) {
      put(tool, next, y + STEP_HEIGHT + TOOL_GAP_Y);
      next += boxes.get(tool).width + TOOL_GAP_X;
    }
  };
  for (const id of tops) put(id, corners.get(id).x, corners.get(id).y);
  return places;
}
