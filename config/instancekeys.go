package config

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// isText tells whether a node is a JSON string.
func isText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!str" }

// words takes a string as it is.
func (in *instance) words(k instanceKey, n *yaml.Node) {
	switch {
	case !isText(n):
		in.fault(k.at(), "must be a text in \"quotes\"")
	case k.path == "callback.basic_auth.password" && placeholder.MatchString(n.Value) && !in.hasUsername():
		// Open Connectors shows a password that was never set as ********.
		in.unused = append(in.unused, k.name)
	case in.filledIn(k.at(), n):
		in.set(k.path, n)
	}
}

func (in *instance) hasUsername() bool { return in.given("callback.basic_auth.username") }

// wordList takes a list of strings as it is.
func (in *instance) wordList(k instanceKey, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		in.fault(k.at(), "must be a list of texts: [\"…\"]")
		return
	}
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", k.at(), i)
		in.line[at] = item.Line
		if !isText(item) {
			in.fault(at, "must be a text in \"quotes\"")
		} else {
			in.filledIn(at, item)
		}
	}
	in.set(k.path, n)
}

// number takes a number, or a string that holds one.
func (in *instance) number(k instanceKey, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!bool" {
		in.fault(k.at(), "must be a number")
		return
	}
	if in.filledIn(k.at(), n) {
		in.set(k.path, plain(n.Value, n.Line))
	}
}

// plain returns a scalar as if it were written without quotes.
func plain(text string, line int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Line: line}
}

// meaning returns the text of a scalar that means something else here, with ${NAME}
// replaced. It returns false after a fault.
func (in *instance) meaning(k instanceKey, n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		in.fault(k.at(), "must be a single value")
		return "", false
	}
	if !in.filledIn(k.at(), n) {
		return "", false
	}
	text, _, ok := in.text(k.at(), n, false)
	return strings.TrimSpace(text), ok
}

func (in *instance) productKey(k instanceKey, _ *yaml.Node) {
	in.note("%s is not used: only orders are polled, not products", k.name)
}

func (in *instance) enabled(k instanceKey, n *yaml.Node) {
	switch text, ok := in.meaning(k, n); {
	case !ok:
	case text == "false":
		in.pause()
	case text != "true":
		in.fault(k.at(), "must be true or false")
	}
}

func (in *instance) vendorType(k instanceKey, n *yaml.Node) {
	switch text, ok := in.meaning(k, n); {
	case !ok, text == "polling":
	case text == "webhook", text == "webhooks":
		in.note("%s is %s: here the store is polled, and Ecwid need not notify anybody", k.name, text)
	default:
		in.fault(k.at(), "must be polling, webhook or webhooks")
	}
}

var minutes = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)

// interval takes minutes, from 1.
func (in *instance) interval(k instanceKey, n *yaml.Node) {
	text, ok := in.meaning(k, n)
	if !ok {
		return
	}
	if !minutes.MatchString(text) {
		in.fault(k.at(), "must be a whole number of minutes, 1 or more")
		return
	}
	in.set(k.path, plain("@every "+text+"m", n.Line))
}

// headers takes an object, or a string that holds one.
func (in *instance) headers(k instanceKey, n *yaml.Node) {
	object, ok := in.object(k, n)
	if !ok {
		return
	}
	for i := 0; i < len(object.Content); i += 2 {
		key, value := object.Content[i], object.Content[i+1]
		at := join(k.at(), showKey(key.Value))
		in.line[at] = key.Line
		if !isText(value) {
			in.fault(at, "must be a text in \"quotes\"")
		} else {
			in.filledIn(at, value)
		}
	}
	in.set(k.path, object)
}

// object returns an object that may be in a string. It returns false after a fault.
func (in *instance) object(k instanceKey, n *yaml.Node) (*yaml.Node, bool) {
	if n.Kind == yaml.MappingNode {
		return n, true
	}
	if n.Kind == yaml.SequenceNode {
		in.fault(k.at(), "must be an object: {\"…\": …}")
		return nil, false
	}
	text, ok := in.meaning(k, n)
	if !ok {
		return nil, false
	}
	object, _, message := parseJSON([]byte(text))
	switch {
	case message != "":
		in.fault(k.at(), "%s", message)
		return nil, false
	case object.Kind != yaml.MappingNode:
		in.fault(k.at(), "must be an object: {\"…\": …}")
		return nil, false
	}
	setLine(object, n.Line)
	return object, true
}

// setLine gives all that is in a string the line of that string.
func setLine(n *yaml.Node, line int) {
	n.Line = line
	for _, inner := range n.Content {
		setLine(inner, line)
	}
}

// pollers takes the delay of the poller of orders. The rest says how to poll, which is
// known here.
func (in *instance) pollers(k instanceKey, n *yaml.Node) {
	object, ok := in.object(k, n)
	if !ok {
		return
	}
	var others []string
	for _, p := range in.pairs(k.name, object) {
		if p.key.Value != "orders" {
			others = append(others, showKey(p.key.Value))
			continue
		}
		if p.value.Kind != yaml.MappingNode {
			in.fault(k.at()+".orders", "must be an object: {\"…\": …}")
			continue
		}
		for _, q := range in.pairs(k.name+".orders", p.value) {
			if q.key.Value == "pollDelay" {
				in.line[pollDelay.at()] = q.key.Line
				in.delay(q.value)
			} else {
				in.unused = append(in.unused, k.name+".orders."+showKey(q.key.Value))
			}
		}
	}
	if len(others) > 0 {
		in.note("%s: only orders are polled, not %s", k.name, several(others))
	}
}

var seconds = regexp.MustCompile(`^[0-9]{1,9}$`)

func (in *instance) delay(n *yaml.Node) {
	text, ok := in.meaning(pollDelay, n)
	if !ok {
		return
	}
	if !seconds.MatchString(text) {
		in.fault(pollDelay.at(), "must be a whole number of seconds")
		return
	}
	in.set(pollDelay.path, plain(text+"s", n.Line))
}

// objects takes a list in a string. Without orders there is nothing to do.
func (in *instance) objects(k instanceKey, n *yaml.Node) {
	text, ok := in.meaning(k, n)
	if !ok {
		return
	}
	var others []string
	orders := false
	for word := range strings.SplitSeq(text, ",") {
		switch word = strings.TrimSpace(word); word {
		case "":
		case "orders":
			orders = true
		case "*":
			orders, others = true, append(others, "the other objects of *")
		default:
			others = append(others, showKey(word))
		}
	}
	switch {
	case !orders:
		in.fault(k.at(), "must name orders, as only these are polled")
	case len(others) > 0:
		in.note("%s: only orders are polled, not %s", k.name, several(others))
	}
}
