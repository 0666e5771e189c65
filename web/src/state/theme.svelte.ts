// Light, dark, or as the system has it. Kept in this browser only.

export type Theme = "system" | "light" | "dark";
const KEY = "theme";

function kept(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    // Storage may be forbidden.
    return "system";
  }
}

class Appearance {
  theme = $state<Theme>(kept());

  constructor() {
    this.#show();
  }

  choose(theme: Theme): void {
    this.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // It holds until the page is closed.
    }
    this.#show();
  }

  #show(): void {
    const root = document.documentElement;
    if (this.theme === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = this.theme;
  }
}

export const appearance = new Appearance();
