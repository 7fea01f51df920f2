package client

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxParamDepth bounds how deep parameters are nested, since a map may contain itself.
const maxParamDepth = 32

// query appends parameters, sorted by name, and then the version to the query of a URL. The only
// error is that of params that are nested too deep.
func query(before string, params map[string]any, version string) (string, error) {
	var b strings.Builder
	b.WriteString(before)
	for _, key := range slices.Sorted(maps.Keys(params)) {
		if err := appendParam(&b, url.QueryEscape(key), params[key], 0); err != nil {
			return "", err
		}
	}
	appendPair(&b, "vsn", version)
	return b.String(), nil
}

func appendPair(b *strings.Builder, key, value string) {
	if b.Len() > 0 {
		b.WriteByte('&')
	}
	b.WriteString(key + "=" + url.QueryEscape(value))
}

// appendParam appends one parameter in the form that Plug.Conn.Query decodes: a[b]=c for a map, a[0]=c
// for a list. key is escaped already, apart from its brackets.
func appendParam(b *strings.Builder, key string, value any, depth int) error {
	if depth > maxParamDepth {
		return fmt.Errorf("client: params are nested more than %d deep", maxParamDepth)
	}
	switch v := value.(type) {
	case nil:
		return nil
	case fmt.Stringer, error, []byte:
		if text, ok := v.([]byte); ok {
			value = string(text)
		}
		appendPair(b, key, fmt.Sprint(value))
		return nil
	}
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Map:
		keys := map[string]reflect.Value{}
		for _, k := range v.MapKeys() {
			keys[fmt.Sprint(k)] = k
		}
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			if err := appendParam(b, key+"["+url.QueryEscape(name)+"]", v.MapIndex(keys[name]).Interface(), depth+1); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := appendParam(b, key+"["+strconv.Itoa(i)+"]", v.Index(i).Interface(), depth+1); err != nil {
				return err
			}
		}
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return appendParam(b, key, v.Elem().Interface(), depth+1)
	default:
		appendPair(b, key, fmt.Sprint(value))
	}
	return nil
}
