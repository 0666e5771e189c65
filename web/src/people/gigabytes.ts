// Quotas are typed in gigabytes and sent in bytes.

const GIGABYTE = 1e9;

/** Null: no limit. Undefined: not a size. */
export function parse(typed: string): number | null | undefined {
  if (!typed.trim()) return null;
  const size = Math.round(Number(typed.replace(",", ".")) * GIGABYTE);
  return Number.isSafeInteger(size) && size > 0 ? size : undefined;
}

export const show = (quota: number | null) => (quota === null ? "" : String(quota / GIGABYTE));
