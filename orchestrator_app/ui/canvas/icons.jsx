// The icons the canvas draws: those of node kinds by name, those of states by state.
import {
  Ban, Bot, Boxes, Braces, CircleCheck, CircleDashed, CircleMinus, CircleX, Clock, GitFork, Globe, Hourglass,
  LoaderCircle, Repeat2, ShieldAlert, Split, Timer, Workflow, Zap,
} from "lucide-react";

const KIND_ICONS = {
  "globe": Globe,
  "bot": Bot,
  "braces": Braces,
  "hourglass": Hourglass,
  "split": Split,
  "shield-alert": ShieldAlert,
  "git-fork": GitFork,
  "repeat-2": Repeat2,
  "timer": Timer,
  "workflow": Workflow,
  "zap": Zap,
};

export function KindIcon({ kind, size = 18 }) {
  const Icon = KIND_ICONS[kind?.icon] || Boxes;
  return (
    <span className="oc-tile" data-color={kind?.color || "gray"} aria-hidden="true">
      <Icon size={size} strokeWidth={1.9} />
    </span>
  );
}

export const STATES = {
  PENDING: { text: "Pending", Icon: CircleDashed, color: "gray" },
  RUNNING: { text: "Running", Icon: LoaderCircle, color: "blue" },
  WAITING: { text: "Waiting", Icon: Clock, color: "amber" },
  COMPLETED: { text: "Completed", Icon: CircleCheck, color: "green" },
  FAILED: { text: "Failed", Icon: CircleX, color: "red" },
  SKIPPED: { text: "Skipped", Icon: CircleMinus, color: "gray" },
  CANCELLED: { text: "Cancelled", Icon: Ban, color: "gray" },
};
