package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"gopkg.in/yaml.v3"
)

// maxJSONDepth is how deep the values of a JSON document may be nested. Instances
// need five levels.
const maxJSONDepth = 32

// parseJSON returns the JSON value that data holds as YAML nodes with their lines, so
// that it is decoded, and its faults are told, like the rest. It does not use the YAML
// parser, which knows neither surrogate pairs nor tabs. Where it fails it returns the
// line and what is wrong.
func parseJSON(data []byte) (n *yaml.Node, line int, message string) {
	if line, message := notText(data); message != "" {
		return nil, line, message
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, 0, "is empty"
	}
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, jsonErrorLine(err, data), "is not JSON: " + jsonHint(err.Error())
	}
	r := jsonReader{Decoder: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	r.UseNumber()
	n, err := r.value(0)
	if err != nil {
		return nil, r.line, err.Error()
	}
	return n, 0, ""
}

// jsonErrorLine returns the line of the byte that could not be read.
func jsonErrorLine(err error, data []byte) int {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return lineAt(data, max(int(syntax.Offset)-1, 0))
	}
	return 0
}

// jsonHint says what the messages of the JSON parser mostly come from.
func jsonHint(message string) string {
	switch message {
	case "invalid character '}' looking for beginning of object key string", "invalid character ']' looking for beginning of value":
		return "remove the comma before this (" + message + ")"
	case "invalid character '\"' after object key:value pair", "invalid character '\"' after array element":
		return "a comma is missing before this (" + message + ")"
	}
	return message
}

// A jsonReader turns valid JSON into nodes.
type jsonReader struct {
	*json.Decoder
	data   []byte
	offset int // up to which lines are counted
	line   int
}

func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	token, err := r.Token()
	if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	end := int(r.InputOffset())
	r.line += bytes.Count(r.data[r.offset:end], []byte("\n"))
	r.offset = end
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: r.line}
	switch token := token.(type) {
	case string:
		n.Tag, n.Value, n.Style = "!!str", token, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!float", token.String()
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(token)
	case nil:
		n.Tag = "!!null"
	case json.Delim:
		n.Kind = yaml.SequenceNode
		if token == '{' {
			n.Kind = yaml.MappingNode
		}
		return n, r.content(n, depth+1)
	}
	return n, nil
}

// content reads the values of an object or an array: of an object, its keys too.
func (r *jsonReader) content(n *yaml.Node, depth int) error {
	if depth > maxJSONDepth {
		return errors.New("is nested too deeply")
	}
	for r.More() {
		item, err := r.value(depth)
		if err != nil {
			return err
		}
		n.Content = append(n.Content, item)
	}
	if _, err := r.Token(); err != nil {
		return fmt.Errorf("is not JSON: %w", err)
	}
	return nil
}
