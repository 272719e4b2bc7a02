//go:build browser

// The page in a real browser, against the real program: go test -tags browser ./graph/playground
//
// CHROMIUM names the browser (default /usr/bin/chromium), ROSTER_SCREENSHOTS a folder for pictures. ROSTER_URL, with
// ROSTER_ADMIN_TOKEN, names a running server with the demo organisation to use instead of starting one.

package playground_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"roster/graph/playground"
)

func TestBrowser(t *testing.T) {
	if !playground.Built() {
		t.Fatal("the page was not built; run `make playground`")
	}
	address, token := startRoster(t)
	page := openPage(t, address)

	page.step("opens", func() {
		page.eventually(`document.title === "Roster"`)
		page.eventually(`document.querySelectorAll('.graphiql-query-editor .view-line').length > 1`)
		page.eventually(`document.querySelector('.bar-status').textContent === "Not signed in"`)
		page.picture("signed-out")
	})
	page.step("refuses a wrong token", func() {
		page.do(chromedp.SendKeys(chromedp.ID("token"), "rst_wrong"), chromedp.Click(chromedp.CSS(".bar [type=submit]")))
		page.eventually(`document.querySelector('.bar [role=alert]')?.textContent.length > 0`)
		page.eventually(`sessionStorage.length === 0`)
	})
	page.step("signs in", func() {
		page.do(
			chromedp.Focus(chromedp.ID("token")),
			chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)),
			chromedp.KeyEvent(token+"\r"),
		)
		page.eventually(`/^Signed in as ./.test(document.querySelector('.bar-status')?.textContent)`)
		page.eventually(`Object.values(localStorage).every(value => !value.includes(` + quote(token) + `))`)
	})
	page.step("runs what was typed", func() {
		page.do(chromedp.Click(chromedp.CSS("button.graphiql-tab-add")))
		page.write(".graphiql-query-editor", "{ viewer { user { username } } }")
		page.do(chromedp.KeyEvent("\r", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
		answer := page.answer()
		if !strings.Contains(answer, `"username": "`) {
			t.Errorf("the answer is %s", answer)
		}
	})
	page.step("runs every example", func() {
		page.picture("signed-in")
		for i, example := range playground.Examples() {
			item := fmt.Sprintf(".examples li:nth-child(%d) button", i+1)
			page.do(chromedp.Click(chromedp.CSS(item)))
			page.eventually(`document.querySelector(` + quote(item) + `).ariaCurrent === "true"`)
			page.do(chromedp.Click(chromedp.CSS("button.graphiql-execute-button")))
			answer := page.answer()
			if !strings.Contains(answer, `"data": {`) || strings.Contains(answer, `"errors": [`) {
				t.Errorf("%s: the answer is %s", example.Name, answer)
			}
			page.picture(fmt.Sprintf("example-%02d", i+1))
		}
	})
	page.step("sends the headers tab", func() {
		page.do(chromedp.Click(chromedp.CSS("button.graphiql-tab-add")))
		page.write(".graphiql-query-editor", "{ __typename }")
		page.do(chromedp.Click(chromedp.CSS("button[data-name=headers]")))
		page.write(".graphiql-editor-tool .graphiql-editor:not(.hidden)", `{"X-Request-Id": "from-the-tab"}`)
		page.do(chromedp.KeyEvent("\r", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
		page.answer()
		if got := page.header("X-Request-Id"); got != "from-the-tab" {
			t.Errorf("X-Request-Id was sent as %q", got)
		}
		if got := page.header("Authorization"); got != "Bearer "+token {
			t.Error("the token was not sent beside the headers of the tab")
		}
	})
	page.step("switches the theme", func() {
		page.do(chromedp.Click(chromedp.CSS(`button[aria-label="Open settings dialog"]`)))
		page.do(chromedp.Click(chromedp.CSS(`.graphiql-dialog button[data-theme=dark]`)))
		dark := page.background(".bar")
		page.do(chromedp.Click(chromedp.CSS(`.graphiql-dialog button[data-theme=light]`)))
		if light := page.background(".bar"); light == dark {
			t.Errorf("the bar is %s, dark and light", light)
		}
		page.picture("settings")
		page.do(chromedp.KeyEvent("\x1b"))
		page.eventually(`!document.querySelector('.graphiql-dialog')`)
	})
	page.step("stays signed in when loaded again, until signed out", func() {
		page.do(chromedp.Reload())
		page.eventually(`/^Signed in as ./.test(document.querySelector('.bar-status')?.textContent)`)
		page.do(chromedp.Click(chromedp.CSS(".bar-session button")))
		page.eventually(`document.querySelector('.bar-status').textContent === "Not signed in"`)
		page.eventually(`sessionStorage.length === 0`)
	})
}

// A page is a browser tab that is open at the playground. It complains of every request to another host and of
// everything that the browser reports: script errors, missing files, breaches of the content security policy.
type page struct {
	t       *testing.T
	ctx     context.Context
	address string

	mu         sync.Mutex
	complaints []string
	headers    network.Headers // of the last request to the API
}

func openPage(t *testing.T, address string) *page {
	t.Helper()
	browser, err := exec.LookPath(cmp.Or(os.Getenv("CHROMIUM"), "/usr/bin/chromium"))
	if err != nil {
		t.Fatalf("there is no browser: %v; CHROMIUM names one", err) // chromedp would try for minutes
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(1440, 900),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("closing the browser: %v", err)
		}
		cancel()
	})
	p := &page{t: t, ctx: ctx, address: address}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.Navigate(address))
	return p
}

func (p *page) listen(event any) {
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		p.sees(event.Request)
	case *runtime.EventExceptionThrown:
		p.complain("exception: " + event.ExceptionDetails.Text + " " + event.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeWarning {
			p.complain(fmt.Sprintf("console.%s: %s", event.Type, texts(event.Args)))
		}
	case *log.EventEntryAdded:
		// A refused token is an answer like any other, but the browser calls it an error.
		if event.Entry.Level == log.EntryLevelError && !strings.Contains(event.Entry.Text, "status of 401") {
			p.complain(fmt.Sprintf("browser: %s %s", event.Entry.Text, event.Entry.URL))
		}
	}
}

func (p *page) sees(request *network.Request) {
	to, err := url.Parse(request.URL)
	if err != nil {
		p.complain("request to " + request.URL)
		return
	}
	here, _ := url.Parse(p.address)
	switch {
	case to.Scheme == "data" || to.Scheme == "blob":
	case to.Host != here.Host:
		p.complain("request to another host: " + request.URL)
	case request.Method == "POST":
		p.mu.Lock()
		defer p.mu.Unlock()
		p.headers = request.Headers
	}
}

func texts(args []*runtime.RemoteObject) string {
	var list []string
	for _, arg := range args {
		list = append(list, cmp.Or(arg.Description, string(arg.Value)))
	}
	return strings.Join(list, " ")
}

func (p *page) complain(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, text)
}

// step runs one step of the story, and tells what the browser complained of meanwhile.
func (p *page) step(name string, story func()) {
	p.t.Helper()
	p.t.Log(name)
	story()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, complaint := range p.complaints {
		p.t.Errorf("%s: %s", name, complaint)
	}
	p.complaints = nil
}

func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.picture("failed")
		p.t.Fatal(err)
	}
}

// eventually waits until the JavaScript condition holds. It asks again and again from here: chromedp.Poll, which waits in the page, makes its
// predicate by `new Function`, and that the page's content security policy (script-src without 'unsafe-eval') forbids.
func (p *page) eventually(condition string) {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		// The condition may throw while the page is not yet there.
		if ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`Boolean(`+condition+`)`)); ok {
			return
		} else if time.Now().After(deadline) {
			p.picture("failed")
			p.t.Fatalf("waited in vain for %s (%v)", condition, err)
		}
	}
}

// write types text into an empty editor, as a person would. It does not click there first: an editor that was just
// uncovered may still be moving.
func (p *page) write(editor, text string) {
	p.t.Helper()
	p.eventually(`document.querySelector(` + quote(editor+" .view-lines") + `)?.textContent === ""`)
	p.do(chromedp.Focus(chromedp.CSS(editor+" textarea")), chromedp.KeyEvent(text))
	written := `document.querySelector(` + quote(editor+" .view-lines") + `).textContent.replaceAll("\u00a0", " ")`
	p.eventually(written + ` === ` + quote(text))
}

// answer waits for the answer to the operation that was just sent.
func (p *page) answer() string {
	p.t.Helper()
	const text = `__MONACO.editor.getModels().find(model => model.uri.path.endsWith("response.json")).getValue()`
	p.eventually(text + ` !== ""`)
	return p.evaluate(text)
}

func (p *page) background(selector string) string {
	p.t.Helper()
	return p.evaluate(`getComputedStyle(document.querySelector(` + quote(selector) + `)).backgroundColor`)
}

func (p *page) evaluate(expression string) string {
	p.t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// header returns what the last request to the API said.
func (p *page) header(name string) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, value := range p.headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return nil
}

func (p *page) picture(name string) {
	p.t.Helper()
	folder := os.Getenv("ROSTER_SCREENSHOTS")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644)
	}
	if err != nil {
		p.t.Errorf("picture %s: %v", name, err)
	}
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string is always JSON
	return string(quoted)
}
