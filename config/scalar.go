package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A parser is a scalar with a grammar of its own.
type parser interface{ parse(text string) error }

// isScalar tells whether out takes a single value.
func isScalar(out reflect.Value) bool {
	if _, ok := reflect.TypeAssert[parser](out.Addr()); ok || out.Type() == secretType {
		return true
	}
	switch out.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map:
		return false
	}
	return true
}

var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	number      = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)
	unitless    = regexp.MustCompile(`^-?[0-9]{1,9}(\.[0-9]{1,3})?$`)
	days        = regexp.MustCompile(`^([1-9][0-9]{0,3})d$`)
)

// setScalar sets out to what the text says. plain tells that the text was written
// without quotes. The error tells no text but a short number: it may be a secret in
// the wrong place.
func setScalar(out reflect.Value, text string, plain bool) error {
	if err := oneLine(text); err != nil {
		return err
	}
	switch x := out.Addr().Interface().(type) {
	case parser:
		return x.parse(text)
	case *Secret:
		*x = NewSecret(text)
		return nil
	case *time.Duration:
		var err error
		*x, err = parseDuration(text)
		return err
	}
	if out.Kind() == reflect.String {
		out.SetString(text)
		return nil
	}
	if !plain {
		return errors.New("must be written without quotes")
	}
	switch out.Kind() {
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !wholeNumber.MatchString(text) {
			return errors.New("must be a whole number")
		}
		out.SetInt(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || !number.MatchString(text) {
			return errors.New("must be a number, such as 10 or 0.5")
		}
		out.SetFloat(f)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return errors.New("must be true or false")
		}
		out.SetBool(text == "true")
	}
	return nil
}

// oneLine refuses what no value may hold: it would break a header or a log.
func oneLine(text string) error {
	switch {
	case !utf8.ValidString(text):
		return errors.New("is not valid UTF-8")
	case strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("holds a line break or another control character: write it on one line")
	}
	return nil
}

func parseDuration(text string) (time.Duration, error) {
	if unitless.MatchString(text) && text != "0" {
		return 0, fmt.Errorf("needs a unit: write %ss for seconds, or %sm for minutes", text, text)
	}
	if m := days.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		return 0, fmt.Errorf("days are written in hours: %dh", n*24)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New("must be a duration, such as 90s, 5m or 168h")
	}
	return d, nil
}

// formatDuration is Duration.String without zero minutes and seconds: 5m, 168h.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// limit holds a value against the oneof and range tags of its field.
func (d *decoder) limit(path string, tag reflect.StructTag, v reflect.Value) {
	if words, ok := tag.Lookup("oneof"); ok {
		list := strings.Split(words, "|")
		if !slices.Contains(list, v.String()) {
			d.fault(path, "must be %s", or(list))
		}
	}
	if limits, ok := tag.Lookup("range"); ok {
		low, high, _ := strings.Cut(limits, "..")
		switch n := quantity(v); {
		case high == "" && n < parseQuantity(low):
			d.fault(path, "must be %s or more", low)
		case high != "" && (n < parseQuantity(low) || n > parseQuantity(high)):
			d.fault(path, "must be from %s to %s", low, high)
		}
	}
}

// quantity returns a number or a duration for comparison.
func quantity(v reflect.Value) float64 {
	if v.CanInt() {
		return float64(v.Int())
	}
	return v.Float()
}

// parseQuantity reads one end of a range tag: a number or a duration.
func parseQuantity(text string) float64 {
	if d, err := time.ParseDuration(text); err == nil {
		return float64(d)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic("range tag: " + err.Error())
	}
	return f
}

// or joins words as a sentence does: a, b or c.
func or(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
