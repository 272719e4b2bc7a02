package entrust

import (
	"fmt"
	"net/http"

	"roster/internal/directory"
	"roster/internal/legacy"
)

// searchParms is the model SearchParms (§2). Its attributes concern searches for users alone.
type searchParms struct {
	Cursor             string      `json:"cursor"`
	Limit              *int        `json:"limit"`
	OrderByAttribute   *ordering   `json:"orderByAttribute"`
	SearchByAttributes []attribute `json:"searchByAttributes"`
}

// attribute is one condition of a search; all must hold.
type attribute struct {
	Name     string  `json:"name"`
	Operator string  `json:"operator"`
	Value    *string `json:"value"`
}

// ordering is the order of a search, ascending unless it says otherwise.
type ordering struct {
	Name      string `json:"name"`
	Ascending *bool  `json:"ascending"`
}

// Bounds of a page (§2); a page without a limit has the most that a page can have.
const (
	minLimit = 1
	maxLimit = 100
)

// groupsPaged answers a page of groups: the first of a search, or the one that a cursor leads to (§3).
func (d door) groupsPaged(w http.ResponseWriter, r *legacy.Request) error {
	var in searchParms
	if err := legacy.DecodeRequired(r, &in); err != nil {
		return err
	}
	at, err := in.place()
	if err != nil {
		return err
	}
	page, err := at.page()
	if err != nil {
		return err
	}
	c, err := d.dir.Groups(r.Context(), r.By, page, groupFields)
	if err != nil {
		return err
	}
	out := groupsPage{Paging: at.paging(c.PageInfo), Results: make([]group, len(c.Edges))}
	for i, e := range c.Edges {
		out.Results[i] = groupOf(e.Node)
	}
	return legacy.WriteJSON(w, http.StatusOK, jsonType, out)
}

// place is where a request wants to read. With a cursor, search and order are the cursor's; a limit given beside it holds (§2).
func (p searchParms) place() (place, error) {
	at := place{Search: p.SearchByAttributes, Order: p.OrderByAttribute, Limit: maxLimit}
	if p.Cursor != "" {
		var err error
		if at, err = decodeCursor(p.Cursor); err != nil {
			return place{}, err
		}
	}
	if p.Limit != nil {
		at.Limit = *p.Limit
	}
	if at.Limit < minLimit || at.Limit > maxLimit {
		return place{}, invalid("limit", fmt.Sprintf("The limit is %d to %d.", minLimit, maxLimit))
	}
	return at, nil
}

// page is a place in the directory's terms.
func (p place) page() (directory.Page, error) {
	order, err := p.Order.order()
	if err != nil {
		return directory.Page{}, err
	}
	filter := &directory.GroupFilter{}
	for i, a := range p.Search {
		f, err := a.filter(fmt.Sprintf("searchByAttributes[%d]", i))
		if err != nil {
			return directory.Page{}, err
		}
		filter.And = append(filter.And, f)
	}
	page := directory.Page{Filter: filter, Order: order, Rows: true}
	page.After, page.Before = p.After, p.Before
	if page.First = &p.Limit; p.Before != nil {
		page.First, page.Last = nil, &p.Limit
	}
	return page, nil
}

// order is by name, as long as nothing else is asked for: nothing else can be (§3).
func (o *ordering) order() ([]*directory.GroupOrder, error) {
	by := &directory.GroupOrder{Field: directory.GroupOrderFieldName, Direction: directory.OrderDirectionAsc}
	if o == nil {
		return []*directory.GroupOrder{by}, nil
	}
	if o.Name != "name" {
		return nil, invalid("orderByAttribute.name", "Groups are ordered by name only.")
	}
	if o.Ascending != nil && !*o.Ascending {
		by.Direction = directory.OrderDirectionDesc
	}
	return []*directory.GroupOrder{by}, nil
}

// nameOperators are the operators for a name (§3); names are compared without case.
var nameOperators = map[string]func(v *string) *directory.StringFilter{
	"EQUALS":       func(v *string) *directory.StringFilter { return &directory.StringFilter{Eq: v} },
	"NOT_EQUALS":   func(v *string) *directory.StringFilter { return &directory.StringFilter{Ne: v} },
	"CONTAINS":     func(v *string) *directory.StringFilter { return &directory.StringFilter{Contains: v} },
	"NOT_CONTAINS": func(v *string) *directory.StringFilter { return &directory.StringFilter{NotContains: v} },
	"STARTS_WITH":  func(v *string) *directory.StringFilter { return &directory.StringFilter{StartsWith: v} },
	"ENDS_WITH":    func(v *string) *directory.StringFilter { return &directory.StringFilter{EndsWith: v} },
}

// filter is an attribute in the directory's terms.
func (a attribute) filter(field string) (*directory.GroupFilter, error) {
	if a.Value == nil {
		return nil, invalid(field+".value", "An attribute needs a value to be compared with.")
	}
	switch a.Name {
	case "name":
		if of, ok := nameOperators[a.Operator]; ok {
			return &directory.GroupFilter{Name: of(a.Value)}, nil
		}
		return nil, invalid(field+".operator", "The operators of name are EQUALS, NOT_EQUALS, CONTAINS, NOT_CONTAINS, STARTS_WITH and ENDS_WITH.")
	case "type":
		if a.Operator != "EQUALS" {
			return nil, invalid(field+".operator", "The operator of type is EQUALS.")
		}
		for t, name := range typeNames {
			if name == *a.Value {
				return &directory.GroupFilter{Type: &directory.GroupTypeFilter{Eq: &t}}, nil
			}
		}
		return nil, invalid(field+".value", "The types of groups are LDAP_AD and MGMT_UI.")
	}
	return nil, invalid(field+".name", "Groups are searched by name and by type.")
}
