package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A refusal is a function of the library that refuses, drops, skips or closes something. Its
// kinds are those of package notice that it says, each of which writes a line and counts.
type refusal struct {
	marks int    // how often it does
	kinds string // what it says of that, separated by blanks
	// by names functions that say it for this one, as "file.go function", separated by
	// commas, and why tells why nobody has to: of these three there is one at least.
	by, why string
}

// quiet are the packages that the list is for, and loud those below them that it is not for.
var (
	quiet = []string{".", "internal/seam", "internal/link", "transport/...", "pubsub/...", "presence", "internal/tracker", "history/...", "internal/follow", "internal/redisconn", "internal/natsdial", "client/..."}
	loud  = []string{"pubsub/pubsubtest", "history/historytest", "transport/transporttest"}
)

// closers are methods that end a connection, a session or a channel, or throw something away,
// with how many arguments they have at least: fewer is another method.
var closers = map[string]int{
	"Close": 1, "Refuse": 3, "close": 2, "shut": 2, "closeLocked": 2, "closeOrAbort": 1, "endLocked": 1, "lost": 2, "writeFailed": 2,
	"fail": 1, "failLocked": 1, "endWithError": 1, "crashed": 1, "overflow": 1, "disconnect": 2, "violated": 1, "giveUpLocked": 1,
	"drop": 0, "dropAll": 0, "dropBinary": 1, "discard": 2,
}

// answers are functions that answer a request with a refusal.
var answers = []string{
	"refuse", "refuseBusy", "answerStatus", "net/http.Error", "net/http.NotFound", "WriteHeader",
	module + "/internal/seam.Refuse", module + "/internal/seam.RefuseBusy",
}

// refusing are the errors that refuse something which a client, another node or the program wants.
var refusing = regexp.MustCompile(`^ErrFull$|^[eE]rr(Refused|Busy|BufferFull|MailboxFull|TooLarge|HeaderTooLarge|TooBig|TooOften|TooFast|TooMany\w*|TooDeep|ParamsTooDeep|\w*TooLong|Origin|TokenForm|Subprotocol|Fragments|EmptyFragment|Slow|SlowConsumer|Idle|Expired|Gap|Inactive|NameTaken|Proto|Host|Body|Connection|Upgrade|Version|Key)$`)

// counters of what is refused or lost. Others count what went well.
var losses = regexp.MustCompile(`(?i)^(refused|addressLimited|bad\w*|ignored\w*|unhandled|binary|garbage|missed|discarded|gaps|conflicts|lost|closing|ended|crashes|joinCrashes|gaps|dropped)$`)

// marked finds what in a function refuses, drops, skips or closes.
func marked(f *ast.FuncDecl, imports map[string]string) (at []ast.Node) {
	mark := func(n ast.Node) { at = append(at, n) }
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			name, method := called(n, imports), false
			if s, ok := ast.Unparen(n.Fun).(*ast.SelectorExpr); ok && name == "" {
				name, method = s.Sel.Name, true
				if name == "Add" && losses.MatchString(last(s.X)) {
					mark(n)
				}
				if losses.MatchString(name) && strings.HasSuffix(last(s.X), "stats") {
					mark(n)
				}
			}
			if least, ok := closers[name]; ok && method && len(n.Args) >= least || slices.Contains(answers, name) {
				mark(n)
			}
			for _, arg := range n.Args {
				if last(arg) == "StatusError" {
					mark(arg)
				}
			}
		case *ast.KeyValueExpr:
			if last(n.Value) == "StatusError" {
				mark(n)
			}
		case *ast.CompositeLit:
			if n.Type != nil && last(n.Type) == "StatusError" {
				mark(n)
			}
		case *ast.IncDecStmt:
			if n.Tok == token.INC && losses.MatchString(last(n.X)) {
				mark(n)
			}
		case *ast.ReturnStmt:
			for _, result := range n.Results {
				if mentions(result, refusing) {
					mark(n)
				}
			}
		case *ast.AssignStmt:
			for _, value := range n.Rhs {
				if refusing.MatchString(last(value)) {
					mark(n)
				}
			}
		case *ast.SelectStmt:
			if sends, otherwise := ways(n); sends && otherwise {
				mark(n)
			}
		}
		return true
	})
	return at
}

// ways reports whether a select sends, and whether it goes on when it cannot.
func ways(s *ast.SelectStmt) (sends, otherwise bool) {
	for _, clause := range s.Body.List {
		switch comm := clause.(*ast.CommClause).Comm.(type) {
		case nil:
			otherwise = true
		case *ast.SendStmt:
			// Who only wakes somebody sends nothing.
			if lit, ok := comm.Value.(*ast.CompositeLit); !ok || len(lit.Elts) > 0 {
				sends = true
			}
		}
	}
	return sends, otherwise
}

// last is the last name of an expression: b of a.b, and a of a.
func last(e ast.Expr) string {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// mentions reports whether an expression names one of some errors, outside of a call that
// only compares.
func mentions(e ast.Expr, names *regexp.Regexp) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && last(call.Fun) == "Is" {
			return false
		}
		if name, ok := n.(ast.Expr); ok && names.MatchString(last(name)) {
			found = true
		}
		return !found
	})
	return found
}

// said lists the kinds that a function says, and those it only counts.
func said(f *ast.FuncDecl) (kinds []string) {
	ast.Inspect(f.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		if !ok && last(call.Fun) != "unauthenticated" {
			return true
		}
		if ok && s.Sel.Name != "Say" && s.Sel.Name != "say" && s.Sel.Name != "Tally" {
			return true
		}
		for _, arg := range call.Args {
			if kind, ok := arg.(*ast.SelectorExpr); ok && last(kind.X) == "notice" {
				kinds = append(kinds, kind.Sel.Name)
			}
		}
		return true
	})
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// function names a function within its package: F, or T.M.
func function(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	return receiver(f.Recv.List[0].Type) + "." + f.Name.Name
}

// silentRefusals finds functions that refuse, drop, skip or close and that the list does not
// know, or knows otherwise; and what the list has that is not so.
func silentRefusals(all []*source, list map[string]refusal) (faults []string) {
	speaks := map[string][]string{} // kinds by function
	found := map[string]bool{}
	for _, s := range all {
		in := func(p string) bool { return fits(p, s.dir()) }
		if s.isTest() || !slices.ContainsFunc(quiet, in) || slices.ContainsFunc(loud, in) {
			continue
		}
		imports := importNames(s.file)
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			name := s.path + " " + function(f)
			marks, kinds := marked(f, imports), said(f)
			speaks[name] = kinds
			entry, known := list[name]
			found[name] = known
			switch {
			case !known && len(marks) > 0:
				faults = append(faults, fmt.Sprintf("%s: %s refuses, drops or closes (%d marks) and is not in the list: say why with a notice and add it", s.at(marks[0]), name, len(marks)))
			case !known && len(kinds) > 0:
				faults = append(faults, fmt.Sprintf("%s: %s says %v and is not in the list", s.at(f), name, kinds))
			case !known:
			case entry.marks != len(marks):
				faults = append(faults, fmt.Sprintf("%s: %s has %d marks, the list says %d: is what is new said?", s.at(f), name, len(marks), entry.marks))
			case !slices.Equal(kinds, sorted(entry.kinds)):
				faults = append(faults, fmt.Sprintf("%s: %s says %v, the list has %v", s.at(f), name, kinds, sorted(entry.kinds)))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(list)) {
		entry := list[name]
		if !found[name] {
			faults = append(faults, fmt.Sprintf("%s is in the list and not in the code", name))
		}
		if entry.kinds == "" && entry.by == "" && entry.why == "" {
			faults = append(faults, fmt.Sprintf("%s is silent, and the list does not say who speaks for it", name))
		}
		for by := range strings.SplitSeq(entry.by, ", ") {
			if by != "" && len(speaks[by]) == 0 {
				faults = append(faults, fmt.Sprintf("%s: %s is to speak for it and says nothing", name, by))
			}
		}
	}
	return faults
}

func sorted(kinds string) []string {
	list := strings.Fields(kinds)
	slices.Sort(list)
	return list
}

// unsaid finds kinds of the table that no function says.
func unsaid(all []*source, kinds []string) (faults []string) {
	said := map[string]bool{}
	for _, s := range all {
		if s.isTest() || fits("internal/notice", s.dir()) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if kind, ok := n.(*ast.SelectorExpr); ok && last(kind.X) == "notice" {
				said[kind.Sel.Name] = true
			}
			return true
		})
	}
	for _, kind := range kinds {
		if !said[kind] {
			faults = append(faults, fmt.Sprintf("notice.%s is said nowhere", kind))
		}
	}
	return faults
}

// kindNames are the constants of package notice.
func kindNames(all []*source) (names []string) {
	for _, s := range all {
		if s.path != "internal/notice/table.go" {
			continue
		}
		for _, d := range s.file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, spec := range g.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if name.IsExported() {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}

func TestRefusals(t *testing.T) {
	all := sources(t)
	report(t, silentRefusals(all, refusals))
	kinds := kindNames(all)
	if len(kinds) < 50 {
		t.Errorf("the table has %d kinds", len(kinds))
	}
	report(t, unsaid(all, kinds))
}

func TestSilentRefusals(t *testing.T) {
	const silent = `package a
import "net/http"
func (s *server) serve(w http.ResponseWriter, r *http.Request) error {
	if r == nil {
		http.Error(w, "no", 400)
	}
	return nil
}
func (s *server) close(c conn) { c.Close(1008) }
func (s *server) over() error { return ErrTooLarge }
func (s *server) reply() { s.send(reply{Status: wire.StatusError}) }
func (s *server) lose() { s.stats.discarded.Add(1) }
func (s *server) try(m int) {
	select {
	case s.queue <- m:
	default:
	}
}
func (s *server) is(err error) bool { return errors.Is(err, ErrTooLarge) }
func (s *server) wake() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}
func (s *server) well() error { s.stats.opened.Add(1); s.file.Close(); return nil }
`
	in := func(path, text string) []*source { return []*source{fixture(t, path, text)} }
	expect(t, silentRefusals(in("transport/a.go", silent), nil),
		"transport/a.go:5: transport/a.go server.serve refuses", "transport/a.go:9: transport/a.go server.close refuses",
		"transport/a.go:10: transport/a.go server.over refuses", "transport/a.go:11: transport/a.go server.reply refuses",
		"transport/a.go:12: transport/a.go server.lose refuses", "transport/a.go:14: transport/a.go server.try refuses")
	for _, path := range []string{"transport/a_test.go", "cmd/x/a.go", "pubsub/pubsubtest/a.go"} {
		expect(t, silentRefusals(in(path, silent), nil))
	}

	const loud = `package a
func (s *server) refuse(w writer) {
	s.book.Say(notice.Origin, s.about()...)
	refuse(w, 403)
}
func helper(w writer) { refuse(w, 500) }
`
	const name, helper = "transport/b.go server.refuse", "transport/b.go helper"
	good := map[string]refusal{name: {marks: 1, kinds: "Origin"}, helper: {marks: 1, by: name}}
	expect(t, silentRefusals(in("transport/b.go", loud), good))
	for _, c := range []struct {
		what string
		list map[string]refusal
		want []string
	}{
		{"a second one in a function that is known", map[string]refusal{name: {marks: 2, kinds: "Origin"}, helper: good[helper]}, []string{"has 1 marks, the list says 2"}},
		{"its notice is gone", map[string]refusal{name: {marks: 1, kinds: "Origin Header"}, helper: good[helper]}, []string{"says [Origin], the list has [Header Origin]"}},
		{"a notice that is not listed", map[string]refusal{name: {marks: 1, why: "it is said"}, helper: good[helper]}, []string{"says [Origin], the list has []"}},
		{"nobody speaks", map[string]refusal{name: good[name], helper: {marks: 1}}, []string{"helper is silent"}},
		{"who is to speak does not", map[string]refusal{name: good[name], helper: {marks: 1, by: helper}}, []string{"is to speak for it and says nothing"}},
		{"who is to speak is not there", map[string]refusal{name: good[name], helper: {marks: 1, by: "transport/c.go f"}}, []string{"is to speak for it and says nothing"}},
		{"a place that is gone", map[string]refusal{name: good[name], helper: good[helper], "transport/b.go gone": {why: "it was"}}, []string{"is in the list and not in the code"}},
	} {
		t.Run(c.what, func(t *testing.T) { expect(t, silentRefusals(in("transport/b.go", loud), c.list), c.want...) })
	}

	expect(t, unsaid(in("transport/b.go", loud), []string{"Origin", "Header"}), "notice.Header is said nowhere")
}
