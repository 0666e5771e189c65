// How folders are shown. Kept in this browser only.

export interface Order {
  by: "name" | "modified" | "size" | "kind";
  falling: boolean;
}

const KEY = "files";
const ORDERS = ["name", "modified", "size", "kind"];

class View {
  as = $state<"list" | "grid">("list");
  order = $state<Order>({ by: "name", falling: false });
  details = $state(false);

  constructor() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<{ as: string; by: string; falling: boolean }>;
      if (kept.as === "grid") this.as = "grid";
      if (kept.by && ORDERS.includes(kept.by)) this.order = { by: kept.by as Order["by"], falling: kept.falling === true };
    } catch {
      // Storage may be forbidden, or hold something else.
    }
  }

  #keep(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify({ as: this.as, by: this.order.by, falling: this.order.falling }));
    } catch {
      // It holds until the page is closed.
    }
  }

  show(as: "list" | "grid"): void {
    this.as = as;
    this.#keep();
  }

  /** By something, or, where it is that already, the other way round. What is new or large comes first. */
  sort(by: Order["by"]): void {
    const falling = by === "modified" || by === "size";
    this.order = { by, falling: this.order.by === by ? !this.order.falling : falling };
    this.#keep();
  }
}

export const view = new View();
