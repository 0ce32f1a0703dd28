// Package print writes what commands show: tables for a person, JSON for a program.
//
// What came from elsewhere, such as names and answers, is stripped of control
// characters before a terminal sees it. Colours are written to terminals only, and
// not at all when NO_COLOR is set (https://no-color.org).
package print

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// A Color is how a word stands out.
type Color string

// The colours. Plain is the terminal's own.
const (
	Plain  Color = ""
	Good   Color = "\x1b[32m"
	Warn   Color = "\x1b[33m"
	Bad    Color = "\x1b[31m"
	Faint  Color = "\x1b[2m"
	Strong Color = "\x1b[1m"

	reset = "\x1b[0m"
)

// A Printer writes to one output.
type Printer struct {
	out    io.Writer
	colors bool
	width  int
}

// To returns a Printer for w, with colours when w is a terminal that wants them.
func To(w io.Writer) *Printer {
	return &Printer{out: w, colors: IsTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", width: widthOf(w)}
}

// Width is how many characters a line of the terminal has; 0 where the output is none.
func (p *Printer) Width() int { return p.width }

func widthOf(w any) int {
	if !IsTerminal(w) {
		return 0
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd())) //nolint:errcheck // a terminal is a file
	if err != nil {
		return 0
	}
	return width
}

// IsTerminal tells whether w is a terminal.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// JSON writes v as JSON, indented.
func (p *Printer) JSON(v any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// JSONLine writes v as JSON in one line.
func (p *Printer) JSONLine(v any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// Line writes one line of text.
func (p *Printer) Line(c Color, format string, args ...any) error {
	_, err := fmt.Fprintln(p.out, p.paint(c, Clean(fmt.Sprintf(format, args...))))
	return err
}

func (p *Printer) paint(c Color, text string) string {
	if !p.colors || c == Plain || text == "" {
		return text
	}
	return string(c) + text + reset
}

// A Cell is a field of a table.
type Cell struct {
	Text  string
	Color Color
}

// Text is a Cell without a colour.
func Text(format string, args ...any) Cell { return Cell{Text: fmt.Sprintf(format, args...)} }

// Table writes rows below their headings, in columns that are as wide as they need
// to be.
func (p *Printer) Table(headings []string, rows [][]Cell) error {
	head := make([]Cell, len(headings))
	for i, h := range headings {
		head[i] = Cell{h, Faint}
	}
	all := append([][]Cell{head}, rows...)
	widths := make([]int, len(headings))
	for _, row := range all {
		for i := range row {
			row[i].Text = Clean(row[i].Text)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].Text))
		}
	}
	w := bufio.NewWriter(p.out)
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(p.paint(cell.Color, cell.Text))
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell.Text)+2))
			}
		}
		_, _ = w.WriteString(strings.TrimRight(line.String(), " ") + "\n") // Flush returns its error
	}
	return w.Flush()
}

// TableWidth is how wide Table writes its widest row.
func TableWidth(headings []string, rows [][]Cell) int {
	widths := make([]int, len(headings))
	for i, h := range headings {
		widths[i] = utf8.RuneCountInString(h)
	}
	for _, row := range rows {
		for i := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].Text))
		}
	}
	sum := 2 * (len(headings) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// Clean keeps text from steering the terminal.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError {
			return '\uFFFD'
		}
		return r
	}, text)
}
