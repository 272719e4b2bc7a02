package directory

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"roster/db"
)

// What is made of rows whose memory is used again stays as it is when they are gone.
func TestObjectsOutliveTheirRows(t *testing.T) {
	t.Parallel()
	k := newKinds()
	outlives(t, k.group)
	outlives(t, k.user)
	outlives(t, k.token)
	outlives(t, k.change)
	outlives(t, k.member)
	outlives(t, k.admin)
	outlives(t, k.action)
	outlives(t, k.workerModel)
	outlives(t, k.webhook)
	outlives(t, k.delivery)
}

func outlives[R, O any](t *testing.T, k *kind[R, O]) {
	t.Helper()
	if !k.copiesRows {
		return
	}
	var row, same R
	fill(reflect.ValueOf(&row).Elem(), rand.New(rand.NewPCG(1, 2)))
	fill(reflect.ValueOf(&same).Elem(), rand.New(rand.NewPCG(1, 2)))
	r := &reader{kinds: newKinds(), now: time.Now()}
	parts := []db.Part[R]{{Rows: []R{row}}}
	got := k.objects(r, parts)[0]
	clear(parts[0].Rows)
	want := k.objects(r, []db.Part[R]{{Rows: []R{same}}})[0]
	everything := cmp.Exporter(func(reflect.Type) bool { return true })
	if diff := cmp.Diff(want, got, everything, cmp.Comparer(func(a, b *Caller) bool { return a == b })); diff != "" {
		t.Errorf("a %s whose row is gone (-want +got):\n%s", k.name, diff)
	}
	if empty := k.object(r, new(R)); cmp.Equal(&empty, want, everything) {
		t.Errorf("a %s of a full row is as one of an empty row", k.name)
	}
}

// fill gives every field a value.
func fill(v reflect.Value, r *rand.Rand) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Unix(r.Int64N(1<<30), 0)
		return
	case *uuid.UUID:
		*x = uuid.UUID{byte(r.IntN(256)), 1}
		return
	case *[]byte:
		*x = []byte(`{"a": ["b"]}`)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), r)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), r)
		}
	case reflect.String:
		v.SetString("text " + string(rune('a'+r.IntN(26))))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), r)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1 + r.Int64N(1000))
	case reflect.Uint64:
		v.SetUint(1 + r.Uint64N(1000))
	default:
		panic(v.Type().String())
	}
}
