"""Source of `show` in five languages: one value as text, the same text in each."""

from __future__ import annotations

PYTHON = """
def show__(value, kind):
    name = kind.split("<", 1)[0]
    if name == "void":
        return "none"
    if name == "bool":
        return "true" if value is True else "false" if value is False else f"?{value!r}"
    if name == "float":
        return f"{float(value):.6f}"
    if name in ("int", "str", "char"):
        return str(value) if not isinstance(value, bool) else f"?{value!r}"
    inner = kind[len(name) + 1 : -1]
    if name == "map":
        key, held = split__(inner)
        return "{" + ", ".join(sorted(f"{show__(k, key)}: {show__(v, held)}" for k, v in value.items())) + "}"
    parts = [show__(item, inner) for item in value]
    return "{" + ", ".join(sorted(parts)) + "}" if name == "set" else "[" + ", ".join(parts) + "]"


def split__(text):
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign == "<") - (sign == ">")
        if sign == "," and depth == 0:
            return text[:at], text[at + 1 :]
"""
JAVASCRIPT = """
function split__(text) {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "<") depth++;
    if (text[at] === ">") depth--;
    if (text[at] === "," && depth === 0) return [text.slice(0, at), text.slice(at + 1)];
  }
}
function show__(value, kind) {
  const name = kind.split("<", 1)[0];
  if (name === "void") return "none";
  if (name === "bool") return value === true ? "true" : value === false ? "false" : "?" + String(value);
  if (name === "float") return Number(value).toFixed(6);
  if (name === "int" || name === "str" || name === "char") return value === -0 ? "0" : String(value);
  const inner = kind.slice(name.length + 1, -1);
  if (name === "map") {
    const [key, held] = split__(inner);
    const pairs = value instanceof Map ? [...value] : Object.entries(value);
    return "{" + pairs.map(([k, v]) => show__(k, key) + ": " + show__(v, held)).sort().join(", ") + "}";
  }
  const parts = [...value].map((item) => show__(item, inner));
  return name === "set" ? "{" + parts.sort().join(", ") + "}" : "[" + parts.join(", ") + "]";
}
"""
JAVA = """
    static String show__(Object value) {
        if (value instanceof Double) return String.format(Locale.ROOT, "%.6f", (Double) value);
        if (value instanceof int[]) { List<Object> l = new ArrayList<>(); for (int v : (int[]) value) l.add(v); return show__(l); }
        if (value instanceof double[]) { List<Object> l = new ArrayList<>(); for (double v : (double[]) value) l.add(v); return show__(l); }
        if (value instanceof Object[]) return show__(Arrays.asList((Object[]) value));
        List<String> parts = new ArrayList<>();
        if (value instanceof Map) {
            for (Map.Entry<?, ?> e : ((Map<?, ?>) value).entrySet()) parts.add(show__(e.getKey()) + ": " + show__(e.getValue()));
            Collections.sort(parts);
            return "{" + String.join(", ", parts) + "}";
        }
        if (value instanceof Collection) {
            for (Object item : (Collection<?>) value) parts.add(show__(item));
            if (value instanceof Set) { Collections.sort(parts); return "{" + String.join(", ", parts) + "}"; }
            return "[" + String.join(", ", parts) + "]";
        }
        return String.valueOf(value);
    }
"""
CPP = """
static std::string show__(bool v) { return v ? "true" : "false"; }
static std::string show__(int v) { return std::to_string(v); }
static std::string show__(long v) { return std::to_string(v); }
static std::string show__(long long v) { return std::to_string(v); }
static std::string show__(unsigned long v) { return std::to_string(v); }
static std::string show__(char v) { return std::string(1, v); }
static std::string show__(const std::string& v) { return v; }
static std::string show__(const char* v) { return v; }
static std::string show__(double v) { char b[400]; std::snprintf(b, sizeof b, "%.6f", v); return b; }
static std::string join__(std::vector<std::string> p, bool sorted, const char* open, const char* close) {
  if (sorted) std::sort(p.begin(), p.end());
  std::string t = open;
  for (size_t i = 0; i < p.size(); i++) { if (i) t += ", "; t += p[i]; }
  return t + close;
}
template <typename T> std::string show__(const std::vector<T>& v);
template <typename T> std::string show__(const std::unordered_set<T>& v);
template <typename T> std::string show__(const std::set<T>& v);
template <typename K, typename V> std::string show__(const std::unordered_map<K, V>& v);
template <typename K, typename V> std::string show__(const std::map<K, V>& v);
template <typename T> std::string show__(const std::vector<T>& v) {
  std::vector<std::string> p; for (const auto& x : v) p.push_back(show__(static_cast<T>(x))); return join__(p, false, "[", "]");
}
template <typename T> std::string show__(const std::unordered_set<T>& v) {
  std::vector<std::string> p; for (const auto& x : v) p.push_back(show__(x)); return join__(p, true, "{", "}");
}
template <typename T> std::string show__(const std::set<T>& v) {
  std::vector<std::string> p; for (const auto& x : v) p.push_back(show__(x)); return join__(p, true, "{", "}");
}
template <typename K, typename V> std::string show__(const std::unordered_map<K, V>& v) {
  std::vector<std::string> p; for (const auto& [k, x] : v) p.push_back(show__(k) + ": " + show__(x)); return join__(p, true, "{", "}");
}
template <typename K, typename V> std::string show__(const std::map<K, V>& v) {
  std::vector<std::string> p; for (const auto& [k, x] : v) p.push_back(show__(k) + ": " + show__(x)); return join__(p, true, "{", "}");
}
"""
GO = """
func show__(value any) string {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() { return "true" }
		return "false"
	case reflect.Int, reflect.Int64: return fmt.Sprintf("%d", v.Int())
	case reflect.Int32, reflect.Uint8: return fmt.Sprintf("%c", value)
	case reflect.Float64: return fmt.Sprintf("%.6f", v.Float())
	case reflect.String: return v.String()
	case reflect.Slice:
		parts := []string{}
		for i := 0; i < v.Len(); i++ { parts = append(parts, show__(v.Index(i).Interface())) }
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Map:
		parts := []string{}
		isSet := v.Type().Elem().Kind() == reflect.Bool
		for _, key := range v.MapKeys() {
			text := show__(key.Interface())
			if !isSet { text += ": " + show__(v.MapIndex(key).Interface()) }
			parts = append(parts, text)
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(value)
}
"""
