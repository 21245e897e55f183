// Calls to the sandbox's control interface. A refusal becomes an Error with the sandbox's own words.
import { t } from "./words.js";

async function call(method, path, body) {
  let answer;
  try {
    answer = await fetch(`/sandbox${path}`, {
      method,
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch {
    throw Object.assign(new Error(t("error.offline")), { offline: true });
  }
  const data = await answer.json().catch(() => ({}));
  if (answer.ok) return data;
  const { message, code } = data.error ?? {};
  throw Object.assign(new Error(t.has(`error.${code}`) ? t(`error.${code}`) : message ?? t("error.status", { status: answer.status })), { status: answer.status, code });
}

const query = (values) => {
  const chosen = Object.entries(values).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return chosen.length ? `?${new URLSearchParams(chosen)}` : "";
};

export const get = (path, values = {}) => call("GET", path + query(values));
export const post = (path, body = {}) => call("POST", path, body);
export const remove = (path) => call("DELETE", path);
