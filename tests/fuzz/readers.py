"""Everything that reads a file from outside."""

from tests.fuzz import mutations as spoil
from tests.fuzz import readers_data as data
from tests.fuzz import readers_models as models
from tests.fuzz.cases import Reader

PICTURE_WAYS = (spoil.damaged, data.spoil_picture, data.claim_size)
DIGIT_WAYS = (spoil.damaged, spoil.in_gzip, spoil.in_gzip, spoil.gzip_bomb)
WEIGHT_WAYS = (spoil.damaged, models.spoil_header, models.spoil_description)
PUBLISHED_WAYS = (spoil.damaged, models.spoil_published, models.bomb_published)

READERS = (
    Reader('picture', data.picture_seeds, PICTURE_WAYS, data.read_picture),
    Reader('photo set', data.picture_seeds, PICTURE_WAYS, data.read_photos),
    Reader('table', data.table_seeds, (spoil.damaged, spoil.number), data.read_table),
    Reader('digits', data.digit_seeds, DIGIT_WAYS, data.read_digits),
    Reader('weights', models.saved_seeds, WEIGHT_WAYS, models.read_weights),
    Reader('published', models.published_seeds, PUBLISHED_WAYS, models.read_published),
    Reader('archive', data.archive_seeds, (spoil.damaged, data.spoil_archive, data.spoil_archive), data.read_archive),
    Reader('cache', data.cache_seeds, (spoil.damaged, data.spoil_cache), data.read_cache),
    Reader('record', models.record_seeds, (spoil.damaged, spoil.in_json, spoil.in_json), models.read_record),
    Reader('note', data.note_seeds, (spoil.damaged, spoil.in_json), data.read_note),
)
