package directory

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// What the tests of package directory_test see of the inside.

// Decide is decide for a caller on no group.
func Decide(by Caller, op Operation) AccessDecision { return decide(by, op, nil) }

// DecideOn is decide for a caller with this standing in a group.
func DecideOn(by Caller, op Operation, public, member, admin, imported bool) AccessDecision {
	return decide(by, op, &standing{public: public, member: member, admin: admin, imported: imported})
}

var (
	AccessRules  = accessRules
	DoorRules    = doorRules
	EncodeCursor = encodeCursor
	DecodeCursor = decodeCursor
	NewSecret    = newSecret
	Ours         = ours
	Explain      = explain
	Constraints  = constraints
	TagsOf       = tagsOf
)

// Prefixes of all ids.
var Prefixes = []string{groupPrefix, userPrefix, tokenPrefix, memberPrefix, adminPrefix, changePrefix, actionPrefix, workerModelPrefix,
	webhookPrefix, deliveryPrefix}

// TypeID and ParseID spell ids and read them.
func TypeID(prefix string, id uuid.UUID) string { return typeID(prefix, id) }

func ParseID(text string) (string, uuid.UUID, error) { return parseID("id", text) }

// ChangeID and ChangePlace are ids that spell places of the log.
func ChangeID(tx uint64, seq int64) uuid.UUID { return changeID(tx, seq) }

func ChangePlace(id uuid.UUID) (uint64, int64) { return changePlace(id) }

// AddMembersOrdinarily and RemoveMembersOrdinarily never take the short way of one statement.
func (s *Service) AddMembersOrdinarily(ctx context.Context, by Caller, in AddMembersInput, sel Selection) (*Payload, error) {
	return s.addMembers(ctx, by, in, sel)
}

func (s *Service) RemoveMembersOrdinarily(ctx context.Context, by Caller, in RemoveMembersInput, sel Selection) (*Payload, error) {
	return s.removeMembers(ctx, by, in, sel)
}

// Attach reads a stream to the end of the log, so that what comes is in its queue.
func (st *Stream) Attach(ctx context.Context) {
	for !st.past && ctx.Err() == nil {
		_, _ = st.history(ctx)
	}
}

// Taken is what a stream that is attached has in its queue.
func (st *Stream) Taken() []*Change {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.queue
}

// AwaitRead waits until the reader of the feed has handed out the change of that place.
func (s *Service) AwaitRead(ctx context.Context, tx uint64, seq int64) {
	for ctx.Err() == nil {
		s.feed.mu.Lock()
		there := s.feed.at.Tx > tx || s.feed.at.Tx == tx && s.feed.at.Seq >= seq
		s.feed.mu.Unlock()
		if there {
			return
		}
		pause(ctx, feedGap)
	}
}

// WakeWebhooks has webhooks looked after now.
func (s *Service) WakeWebhooks() { nudge(s.hooks.wake) }

// SurveyWebhooks has them counted now, and believes that it was some time ago.
func (s *Service) SurveyWebhooks(ctx context.Context, ago time.Duration) {
	v := &s.hooks.survey
	v.mu.Lock()
	v.at = time.Time{}
	v.mu.Unlock()
	s.hooks.surveys(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at = v.at.Add(-ago)
}

// RetryIn is how long a webhook that failed is left alone.
var RetryIn = retryIn

// KeptFilter and FilterKept are a filter as it is kept beside a webhook.
var (
	KeptFilter = keptFilter
	FilterKept = filterKept
)
