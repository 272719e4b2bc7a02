package directory

import "fmt"

// Selection says what is wanted of an object: its own fields by their names in the API, and the objects linked to it.
// The zero Selection wants nothing but the object's identity; another has it only if it names it.
type Selection struct {
	Fields []string
	Links  []Link
}

// Link is a field that leads to other objects: to one, or to a page of a list if Page is set. Two links may have the same
// Field with different arguments; Key tells them apart.
type Link struct {
	Key    string
	Field  string
	Page   *Page
	Select Selection            // of each object that it leads to
	ByType map[string]Selection // instead of Select where the object's type is not known beforehand (node, Token.owner)
}

// Page says which part of a list is wanted, and what of it.
type Page struct {
	PageArgs
	Filter  any // *GroupFilter for a list of groups, and so on; nil for none
	Order   any // []*GroupOrder, and so on; nil for the default
	Rows    bool
	Total   bool
	Cursors bool // the cursor of every row, beside those of the page's ends
	NoEnds  bool // not even those
	All     bool // the whole list in one page; for doors whose systems knew no pages

	size int // of pages inside the directory, beyond MaxPage
}

// Want is a selection of a payload with the plain fields of the named objects, for callers that are not GraphQL.
func Want(links ...Link) Selection { return Selection{Links: links} }

// Links holds what the links of a selection led to, by their keys. Every noun embeds it.
type Links struct{ found []linked }

type linked struct {
	key string
	to  any
}

func (l *Links) set(key string, to any) {
	for i := range l.found {
		if l.found[i].key == key {
			l.found[i].to = to
			return
		}
	}
	l.found = append(l.found, linked{key, to})
}

func (l *Links) get(key string) (any, bool) {
	for _, f := range l.found {
		if f.key == key {
			return f.to, true
		}
	}
	return nil, false
}

// Object is a noun: something that selections are of.
type Object interface{ get(key string) (any, bool) }

// Linked is what the link of that key led to; nil for a link to one object that is not there or not visible. It fails if no
// such link was selected when the object was read, or if it leads to something else.
func Linked[T any](o Object, key string) (T, error) {
	var none T
	to, ok := o.get(key)
	if !ok {
		return none, fmt.Errorf("directory: %T was read without the link %q", o, key)
	}
	if to == nil {
		return none, nil
	}
	t, ok := to.(T)
	if !ok {
		return none, fmt.Errorf("directory: the link %q of %T is a %T", key, o, to)
	}
	return t, nil
}
