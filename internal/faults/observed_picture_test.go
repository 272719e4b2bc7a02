//go:build observed

package faults

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Sizes of the picture, in pixels: of a unit of the dashboard's grid, and of what is around the lines of a panel.
const (
	gridX, gridY                = 50, 23
	head, foot, left, rightside = 20, 46, 52, 10
)

var colours = []string{"#3d7bd9", "#56a64b", "#e0752d", "#b877d9", "#e02f44", "#1f9e9e", "#8a6d00", "#c15c9a", "#5b6b7b", "#2b3f8c"}

// spelt is a value in the panel's unit.
func (p *panel) spelt(v float64) string {
	number := func(v float64) string {
		if v >= 100 {
			return strconv.FormatFloat(v, 'f', 0, 64)
		}
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	switch p.FieldConfig.Defaults.Unit {
	case "s":
		if v < 1 {
			return number(v*1e3) + " ms"
		}
		return number(v) + " s"
	case "percentunit":
		return number(v*100) + " %"
	case "bytes":
		return fmt.Sprintf("%.0f MiB", v/(1<<20))
	case "reqps":
		return number(v) + " req/s"
	case "ops":
		return number(v) + " /s"
	}
	return number(v)
}

// draw makes a page of the dashboard as it was during the load, and a picture of that by a browser: Grafana is not there to do it.
func draw(t *testing.T, panels []*panel, from, to time.Time) {
	t.Helper()
	var page strings.Builder
	page.WriteString(`<!DOCTYPE html><meta charset="utf-8"><title>Roster</title><style>body{margin:0;background:#f4f5f5;font:11px sans-serif;color:#24292e}
		.panel{position:absolute;background:#fff;border:1px solid #dde0e3;box-sizing:border-box;overflow:hidden}h2{position:absolute;margin:0;font-size:13px}
		h3{margin:3px 6px 0;font-size:11px;height:15px}.legend{position:absolute;left:6px;right:6px;bottom:2px;height:26px;line-height:13px;overflow:hidden;font-size:10px}
		text{font-size:9px;fill:#6e7780}polyline{fill:none;stroke-width:1.2}</style><body>`)
	bottom := 0
	for _, p := range panels {
		x, y, w, h := p.GridPos.X*gridX+4, p.GridPos.Y*gridY+4, p.GridPos.W*gridX-6, p.GridPos.H*gridY-5
		bottom = max(bottom, y+h+6)
		if p.Type == "row" {
			fmt.Fprintf(&page, `<h2 style="left:%dpx;top:%dpx">%s</h2>`, x+4, y, html.EscapeString(p.Title))
			continue
		}
		fmt.Fprintf(&page, `<div class="panel" style="left:%dpx;top:%dpx;width:%dpx;height:%dpx"><h3>%s</h3>`, x, y, w, h, html.EscapeString(p.Title))
		p.draw(&page, w, h-head-foot, from, to)
		page.WriteString(`</div>`)
	}
	dir := cmp.Or(*pictureDir, t.TempDir())
	file := filepath.Join(t.TempDir(), "dashboard.html")
	if err := os.WriteFile(file, []byte(page.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	picture := photograph(t, "file://"+file, 24*gridX+4, bottom)
	if len(picture) < 10_000 {
		t.Errorf("the picture has %d bytes", len(picture))
	}
	path := filepath.Join(dir, "dashboard.png")
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\nThe dashboard: %s, %d kB\n", path, len(picture)/1000)
}

// draw draws the lines of a panel, its axes and its legend.
func (p *panel) draw(page *strings.Builder, w, h int, from, to time.Time) {
	top := 0.0
	for _, q := range p.Targets {
		for _, s := range q.found {
			for _, v := range s.is {
				top = max(top, v)
			}
		}
	}
	if top == 0 {
		top = 1
	}
	fmt.Fprintf(page, `<svg width="%d" height="%d">`, w, h+14)
	across, span := float64(w-left-rightside), to.Sub(from).Seconds()
	x := func(at float64) float64 { return left + across*(at-float64(from.UnixMilli())/1e3)/span }
	y := func(v float64) float64 { return 4 + float64(h-4)*(1-v/top/1.05) }
	for n := range 3 {
		v := top * float64(n) / 2
		fmt.Fprintf(page, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#e6e8ea"/>
			<text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			left, w-rightside, y(v), y(v), left-3, y(v)+3, p.spelt(v))
	}
	for at := 0.0; at <= span; at += 5 {
		fmt.Fprintf(page, `<text x="%.1f" y="%d" text-anchor="middle">%.0f s</text>`, x(at+float64(from.UnixMilli())/1e3), h+12, at)
	}
	legend, n := "", 0
	for _, q := range p.Targets {
		for _, s := range q.found {
			colour := colours[n%len(colours)]
			n++
			points := make([]string, len(s.is))
			for i := range s.is {
				points[i] = fmt.Sprintf("%.1f,%.1f", x(s.at[i]), y(s.is[i]))
			}
			fmt.Fprintf(page, `<polyline stroke="%s" points="%s"/>`, colour, strings.Join(points, " "))
			legend += fmt.Sprintf(`<span style="color:%s">&#9632;</span> %s `, colour, html.EscapeString(s.name))
		}
	}
	fmt.Fprintf(page, `</svg><div class="legend">%s</div>`, legend)
}

// photograph has a headless Chromium open a page of that size; CHROMIUM names another than /usr/bin/chromium.
func photograph(t *testing.T, url string, width, height int) []byte {
	t.Helper()
	browser, err := exec.LookPath(cmp.Or(os.Getenv("CHROMIUM"), "/usr/bin/chromium"))
	if err != nil {
		t.Fatalf("there is no browser: %v; CHROMIUM names one", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-lcd-text", true), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND"), chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(width, height))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	defer end()
	ctx, end := chromedp.NewContext(allocator)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(int64(width), int64(height)), chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	taken, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(taken))
	if err != nil {
		t.Fatal(err)
	}
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, fewColours(picture)); err != nil {
		t.Fatal(err)
	}
	return small.Bytes()
}

// fewColours is a picture in its 256 most frequent colours: what is beyond are the edges of letters, and half of the file.
func fewColours(picture image.Image) image.Image {
	count, bounds := map[color.Color]int{}, picture.Bounds()
	for y := range bounds.Max.Y {
		for x := range bounds.Max.X {
			count[picture.At(x, y)]++
		}
	}
	all := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	few, index := image.NewPaletted(bounds, all[:min(256, len(all))]), map[color.Color]uint8{}
	for _, c := range all {
		index[c] = uint8(few.Palette.Index(c))
	}
	for y := range bounds.Max.Y {
		for x := range bounds.Max.X {
			few.SetColorIndex(x, y, index[picture.At(x, y)])
		}
	}
	return few
}
