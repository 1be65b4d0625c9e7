package audit

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// normalVersion is the first byte of every normal form. docs/identity.md
// describes it; a change of what follows is a new version.
const normalVersion = 1

// BodyHashes are the [BodyHash] of an event's bodies, nil where there is none.
type BodyHashes struct {
	Request, Response *[sha256.Size]byte
}

// BodyHashes returns the hashes of the bodies that e holds.
func (e *Event) BodyHashes() BodyHashes {
	var h BodyHashes
	if e.RequestObject != nil {
		sum := BodyHash(e.RequestObject)
		h.Request = &sum
	}
	if e.ResponseObject != nil {
		sum := BodyHash(e.ResponseObject)
		h.Response = &sum
	}
	return h
}

// ID returns the identity of the event in a cluster: the first 16 bytes of the
// SHA-256 of its normal form. It is computed after redaction.
func (e *Event) ID(cluster ClusterID) EventID {
	return e.IDHashed(cluster, e.BodyHashes())
}

// IDHashed is ID for an event whose bodies are known by their hashes only.
func (e *Event) IDHashed(cluster ClusterID, bodies BodyHashes) EventID {
	var scratch [2048]byte
	sum := sha256.Sum256(e.AppendNormalHashed(scratch[:0], cluster, bodies))
	return EventID(sum[:16])
}

// RequestID returns what the stages of one request have in common: the first
// 16 bytes of the SHA-256 over cluster, auditID, requestReceivedTimestamp, who
// was authenticated and requestURI.
func (e *Event) RequestID(cluster ClusterID) RequestID {
	var scratch [1024]byte
	dst := append(scratch[:0], normalVersion)
	dst = appendNormalString(dst, string(cluster))
	dst = appendNormalString(dst, e.AuditID)
	dst = appendNormalTime(dst, e.RequestReceived.UnixMicro())
	dst = appendNormalString(dst, e.User.Username)
	dst = appendNormalString(dst, e.User.UID)
	dst = appendNormalString(dst, e.RequestURI)
	sum := sha256.Sum256(dst)
	return RequestID(sum[:16])
}

// AppendNormal appends the normal form of e: the same bytes for the same event,
// whichever way it came.
func (e *Event) AppendNormal(dst []byte, cluster ClusterID) []byte {
	return e.AppendNormalHashed(dst, cluster, e.BodyHashes())
}

// AppendNormalHashed is AppendNormal for an event whose bodies are known by
// their hashes only.
func (e *Event) AppendNormalHashed(dst []byte, cluster ClusterID, bodies BodyHashes) []byte {
	dst = append(dst, normalVersion)
	for _, s := range [...]string{string(cluster), e.Level, e.AuditID, e.Stage, e.RequestURI, e.Verb} {
		dst = appendNormalString(dst, s)
	}
	dst = append(dst, byte(e.present))
	dst = appendNormalUser(dst, &e.User)
	if e.Has(FieldImpersonatedUser) {
		dst = appendNormalUser(dst, &e.ImpersonatedUser)
	}
	if e.Has(FieldAuthenticationMetadata) {
		dst = appendNormalString(dst, e.ImpersonationConstraint)
	}
	dst = appendNormalStrings(dst, e.SourceIPs)
	dst = appendNormalString(dst, e.UserAgent)
	if e.Has(FieldObjectRef) {
		ref := &e.ObjectRef
		for _, s := range [...]string{ref.Resource, ref.Namespace, ref.Name, ref.UID, ref.APIGroup, ref.APIVersion, ref.ResourceVersion, ref.Subresource} {
			dst = appendNormalString(dst, s)
		}
	}
	if st := &e.ResponseStatus; e.Has(FieldResponseStatus) {
		dst = binary.BigEndian.AppendUint32(dst, uint32(st.Code))
		dst = appendNormalString(dst, st.Status)
		dst = appendNormalString(dst, st.Reason)
		dst = appendNormalString(dst, st.Message)
	}
	dst = appendNormalHash(dst, bodies.Request)
	dst = appendNormalHash(dst, bodies.Response)
	dst = appendNormalTime(dst, e.RequestReceived.UnixMicro())
	dst = appendNormalTime(dst, e.StageTime.UnixMicro())
	dst = appendNormalPairs(dst, e.Annotations)
	return appendNormalString(dst, string(e.Rest))
}

func appendNormalString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendNormalStrings(dst []byte, list []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = appendNormalString(dst, s)
	}
	return dst
}

func appendNormalTime(dst []byte, microseconds int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(microseconds))
}

func appendNormalHash(dst []byte, hash *[sha256.Size]byte) []byte {
	if hash == nil {
		return append(dst, 0)
	}
	return append(append(dst, 1), hash[:]...)
}

func appendNormalUser(dst []byte, u *User) []byte {
	dst = appendNormalString(dst, u.Username)
	dst = appendNormalString(dst, u.UID)
	dst = appendNormalStrings(dst, u.Groups)
	return appendNormalExtra(dst, u.Extra)
}

func appendNormalExtra(dst []byte, extra []Extra) []byte {
	byKey := func(a, b Extra) int { return cmp.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(extra, byKey) {
		extra = slices.SortedFunc(slices.Values(extra), byKey)
	}
	dst = binary.AppendUvarint(dst, uint64(len(extra)))
	for i := range extra {
		dst = appendNormalString(dst, extra[i].Key)
		dst = appendNormalStrings(dst, extra[i].Values)
	}
	return dst
}

func appendNormalPairs(dst []byte, pairs Pairs) []byte {
	byKey := func(a, b Pair) int { return strings.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(pairs, byKey) {
		pairs = slices.SortedFunc(slices.Values(pairs), byKey)
	}
	dst = binary.AppendUvarint(dst, uint64(len(pairs)))
	for i := range pairs {
		dst = appendNormalString(dst, pairs[i].Key)
		dst = appendNormalString(dst, pairs[i].Value)
	}
	return dst
}
