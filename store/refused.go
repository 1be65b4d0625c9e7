package store

import (
	"errors"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// contentCodes are ClickHouse's errors about what is in a row: the same row gets
// the same answer tomorrow (src/Common/ErrorCodes.cpp).
var contentCodes = []int32{
	6,   // CANNOT_PARSE_TEXT
	25,  // CANNOT_PARSE_ESCAPE_SEQUENCE
	26,  // CANNOT_PARSE_QUOTED_STRING
	27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
	38,  // CANNOT_PARSE_DATE
	41,  // CANNOT_PARSE_DATETIME
	53,  // TYPE_MISMATCH
	69,  // ARGUMENT_OUT_OF_BOUND
	70,  // CANNOT_CONVERT_TYPE
	72,  // CANNOT_PARSE_NUMBER
	117, // INCORRECT_DATA
	128, // TOO_LARGE_ARRAY_SIZE
	131, // TOO_LARGE_STRING_SIZE
	190, // SIZES_OF_ARRAYS_DONT_MATCH
	321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
	349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
	407, // DECIMAL_OVERFLOW
	469, // VIOLATED_CONSTRAINT
	691, // UNKNOWN_ELEMENT_OF_ENUM
}

// refused reports whether an insert failed for what is in its rows. All other
// errors are taken to pass: nothing is set aside because an engine is down.
func refused(err error) bool {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return slices.Contains(contentCodes, exception.Code)
	}
	// What the driver cannot encode, it says before it sends.
	var convert *chcolumn.ColumnConverterError
	return errors.As(err, &convert)
}
