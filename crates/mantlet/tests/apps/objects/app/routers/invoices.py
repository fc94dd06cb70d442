import uuid
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import StreamingResponse
from sqlmodel import Session, select

from app.db import SessionDep, engine
from app.deps import CurrentUser
from app.models import Invoice, InvoiceBase, InvoicePublic, InvoiceUpdate, now

router = APIRouter(prefix="/invoices", tags=["invoices"])


def get_invoice(invoice_id: uuid.UUID, session: SessionDep) -> Invoice:
    invoice = session.get(Invoice, invoice_id)
    if invoice is None:
        raise HTTPException(404, "Invoice not found")
    return invoice


InvoiceDep = Annotated[Invoice, Depends(get_invoice)]


def public(invoice: Invoice) -> InvoicePublic:
    return InvoicePublic.model_validate(invoice, update={"isPaid": invoice.paid_at is not None})


@router.get("")
def read_invoices(session: SessionDep, current_user: CurrentUser) -> list[InvoicePublic]:
    invoices = select(Invoice)
    if not current_user.is_superuser:
        invoices = invoices.where(Invoice.owner_id == current_user.id)
    return [public(invoice) for invoice in session.exec(invoices)]


@router.post("", status_code=201)
def create_invoice(new: InvoiceBase, session: SessionDep, current_user: CurrentUser) -> InvoicePublic:
    invoice = Invoice(owner_id=current_user.id, **new.model_dump())
    session.add(invoice)
    session.commit()
    return public(invoice)


@router.get("/journal")
def read_journal(current_user: CurrentUser, owner_id: uuid.UUID) -> StreamingResponse:
    def lines() -> Iterator[str]:
        with Session(engine) as session:
            for invoice in session.exec(select(Invoice).where(Invoice.owner_id == owner_id)):
                yield public(invoice).model_dump_json(by_alias=True) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


@router.get("/{invoice_id}")
def read_invoice(invoice: InvoiceDep, current_user: CurrentUser) -> InvoicePublic:
    return public(invoice)


@router.patch("/{invoice_id}")
def update_invoice(
    invoice: InvoiceDep, changes: InvoiceUpdate, session: SessionDep, current_user: CurrentUser
) -> InvoicePublic:
    if invoice.owner_id != current_user.id and not current_user.is_superuser:
        raise HTTPException(404, "Invoice not found")
    invoice.subject = changes.subject
    session.commit()
    return public(invoice)


@router.post("/{invoice_id}/pay")
def pay_invoice(invoice: InvoiceDep, session: SessionDep, current_user: CurrentUser) -> InvoicePublic:
    invoice.paid_at = now()
    session.commit()
    return public(invoice)
